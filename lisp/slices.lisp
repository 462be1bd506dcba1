;;;; Slices: what stands between the brackets in x[start:stop:step].

(in-package #:pyrite)

(defstruct (slice (:constructor make-slice (start stop step)) (:copier nil) (:predicate nil)
                  (:conc-name %slice-))
  "A Python slice. Made by the function SLICE."
  (start nil :read-only t)
  (stop nil :read-only t)
  (step nil :read-only t))

(defun slice (start-or-stop &optional (stop nil stopp) step)
  "The slice [start:stop:step], as Python's slice(): with one argument it is the stop.

Each is any value, usually an integer; NIL and +PY-NONE+ are None, so that (slice nil) is [:]."
  (if stopp
      (make-slice start-or-stop stop step)
      (make-slice nil start-or-stop nil)))

(defun slice-parts (slice)
  "Start, stop and step of SLICE, a list."
  (list (%slice-start slice) (%slice-stop slice) (%slice-step slice)))

(defmethod print-object ((slice slice) stream)
  (print-unreadable-object (slice stream)
    (format stream "SLICE~{ ~S~}" (slice-parts slice))))

(defmethod make-load-form ((slice slice) &optional environment)
  (make-load-form-saving-slots slice :environment environment))

(defun named-p (symbol name)
  "True when SYMBOL is one called NAME, of whatever package."
  (and (symbolp symbol) (string= symbol name)))

(defun index-value (index)
  "INDEX, or the slice that it is when it is a list that says so: (slice 1 3)."
  (cond ((not (and (consp index) (named-p (first index) "SLICE"))) index)
        ((and (alexandria:proper-list-p index) (<= 2 (length index) 4)) (apply #'slice (rest index)))
        (t (fail 'malformed-slice "~S is no slice: that is (slice stop) or (slice start stop [step])."
                 index))))
