(in-package #:pyrite/test)
(def-suite manual :in pyrite :description "The examples.")
(in-suite manual)
(test manual.x (is-true (python-works-p)))
