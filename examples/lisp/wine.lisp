;;;; wine.lisp: from which grape is the wine? Lisp does the arithmetic, scikit-learn fits a classifier,
;;;; pandas makes a table, and matplotlib draws a picture, demo.png.
;;;;
;;;;     make demo
;;;;
;;;; The data comes with scikit-learn: 13 measures of 178 Italian wines from three cultivars.

(require :asdf)
(asdf:load-system "pyrite")

(defpackage #:wine
  (:use #:cl)
  (:import-from #:pyrite
                #:import-module #:import-function #:pycall #:pymethod #:pyslot-value #:pyversion-info))

(in-package #:wine)

;;; The first of these starts Python; they are its `import numpy as np` and `from ... import ...`.

(import-module "os")
(import-module "numpy" :as "np")
(import-module "pandas" :as "pd")
(import-module "matplotlib")
(pycall "matplotlib.use" "Agg")         ; draws to files only, so it needs no display
(import-module "matplotlib.pyplot" :as "plt")
(import-function "load_wine" "sklearn.datasets")
(import-function "PCA" "sklearn.decomposition")
(import-function "LogisticRegression" "sklearn.linear_model")
(import-function "cross_val_score" "sklearn.model_selection")
(import-function "scale" "sklearn.preprocessing")

;;; Plain Lisp. A numpy array of floats arrives as a Lisp array of double-floats, so nothing here needs
;;; to know that there is a Python.

(defun mean (vector)
  "The mean of the numbers in VECTOR."
  (/ (reduce #'+ vector) (length vector)))

(defun deviation (vector)
  "The standard deviation of the numbers in VECTOR."
  (let ((mean (mean vector)))
    (sqrt (mean (map 'vector (lambda (x) (expt (- x mean) 2)) vector)))))

(defun column (table j &key (where (constantly t)))
  "A vector of column J of TABLE, in those rows whose number satisfies WHERE."
  (coerce (loop for i below (array-dimension table 0)
                when (funcall where i) collect (aref table i j))
          '(vector double-float)))

(defun standardise (table)
  "A fresh table like TABLE, but with mean 0 and standard deviation 1 in each column."
  (let ((result (make-array (array-dimensions table) :element-type 'double-float)))
    (dotimes (j (array-dimension table 1) result)
      (let* ((column (column table j)) (mean (mean column)) (deviation (deviation column)))
        (dotimes (i (length column))
          (setf (aref result i j) (/ (- (aref column i) mean) deviation)))))))

;;; Lisp and Python in turns. Numbers, strings, lists, vectors and arrays are converted both ways;
;;; anything else, such as a classifier or a plot, stays in Python and Lisp has a reference to it.

(defun accuracies (table classes)
  "How often CLASSES are told right from TABLE: in each fifth of it, having learnt from the others."
  ;; From the first keyword on, arguments are keyword arguments: Python sees max_iter=1000.
  ;; (A purist standardises each fold by the others alone, which here costs half a percent.)
  (pycall "cross_val_score" (pycall "LogisticRegression" :max-iter 1000) table classes :cv 5))

(defun summary (table measures classes)
  "A text with the means of some of MEASURES, the columns of TABLE, for each of CLASSES."
  ;; Methods can be named as Lisp would (TO-STRING) or, by strings, as Python does ("to_string").
  (let* ((frame (pycall "pd.DataFrame" table :columns measures))
         (means (pymethod (pymethod frame 'groupby classes) 'mean))
         (some (pymethod means 'filter #("alcohol" "flavanoids" "color_intensity" "proline"))))
    (pymethod (pymethod some 'round 2) 'to-string)))

(defun scatter (axes points classes class-names)
  "Draw POINTS on AXES, in a colour and shape for each class."
  (loop for name across class-names
        for class from 0
        for color in '("#8c1c3f" "#e0a526" "#2f6f8f")
        for marker in '("o" "^" "s")
        do (flet ((here (i) (= class (aref classes i))))
             (pymethod axes 'scatter (column points 0 :where #'here) (column points 1 :where #'here)
                       :label name :color color :marker marker
                       :s 55 :alpha 0.85 :edgecolors "white"))))

(defun draw (table classes class-names file)
  "Draw the rows of TABLE to FILE, as seen from where they differ most."
  (pycall "plt.rc" "font" :size 12)
  (pycall "plt.rc" "axes.spines" :top nil :right nil)   ; NIL is False, and T is True
  (let* ((pca (pycall "PCA" :n-components 2))
         (points (pymethod pca 'fit-transform table))
         (shares (pyslot-value pca "explained_variance_ratio_")))
    (flet ((label (which share)
             (format nil "~A principal component (~D% of the variance)" which (round (* 100 share)))))
      ;; Lists are tuples for Python, and vectors are its lists; this one returns a tuple of two.
      (destructuring-bind (figure axes) (pycall "plt.subplots" :figsize '(8 6) :layout "constrained")
        (scatter axes points classes class-names)
        (pymethod axes 'set :title "178 wines by their 13 measures"
                            :xlabel (label "First" (aref shares 0))
                            :ylabel (label "Second" (aref shares 1)))
        (pymethod axes 'grid :alpha 0.25)
        (pymethod axes 'legend :title "Cultivar" :frameon nil)
        (pymethod figure 'savefig file :dpi 100)))))

(defun check (table standard accuracies)
  "Signal an error unless the numbers are sane."
  (assert (equalp table (pycall "np.array" table)))                   ; there and back again
  (assert (pycall "np.allclose" standard (pycall "scale" table)))     ; Lisp agrees with scikit-learn
  (assert (> (mean accuracies) 0.9)))

(defun demo (&optional (file "demo.png"))
  "Print what the data is, its summary and how well it is classified; draw it to FILE."
  (let* ((wine (pycall "load_wine"))
         (table (pyslot-value wine 'data))      ; a (SIMPLE-ARRAY DOUBLE-FLOAT (178 13))
         (classes (pyslot-value wine 'target))  ; a (SIMPLE-ARRAY (SIGNED-BYTE 64) (178))
         (names (map 'vector (lambda (name) (substitute #\Space #\_ name))
                     (pyslot-value wine 'target-names)))
         (standard (standardise table))
         (accuracies (accuracies standard classes)))
    (format t "~A, with Python ~{~D.~D.~D~*~*~}~%" (lisp-implementation-type) (pyversion-info))
    (format t "~D wines, ~D measures, ~D classes; some means:~2%~A~2%"
            (array-dimension table 0) (array-dimension table 1) (length names)
            (summary table (pyslot-value wine 'feature-names)
                     (map 'vector (lambda (class) (aref names class)) classes)))
    (format t "Classified right: ~,1F%, give or take ~,1F% (~D-fold cross-validation)~%"
            (* 100 (mean accuracies)) (* 100 (deviation accuracies)) (length accuracies))
    (draw standard classes names file)
    (format t "Picture: ~A~%" (pycall "os.path.abspath" file))
    (check table standard accuracies)))

(demo)
