;;;; Run the benchmarks: see bench.lisp. Arguments: a part of the names of the rows that are wanted.

(require :asdf)
(let ((*standard-output* (make-broadcast-stream)))
  (asdf:load-system "pyrite/bench"))
(uiop:symbol-call '#:pyrite/bench '#:run (uiop:getenv "ROW"))
