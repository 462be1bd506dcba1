;;;; The clause PYFOR of ITERATE.

(in-package #:pyrite)

(iterate:defmacro-clause (pyfor variable in iterable)
  "Each item of ITERABLE, anything that Python can iterate over; the loop ends with it."
  (let ((iterator (gensym "ITERATOR")) (item (gensym "ITEM")) (more (gensym "MORE"))
        (exhausted (gensym "EXHAUSTED")))
    `(progn
       (iterate:with ,iterator = (make-iterator ,iterable))
       (iterate:with ,exhausted = nil)
       (iterate:for (values ,item ,more) = (next-item ,iterator))
       (unless ,more
         (setf ,exhausted t)
         (iterate:terminate))
       (iterate:for ,variable = ,item)
       (iterate:finally-protected (release-iterator ,iterator ,exhausted)))))
