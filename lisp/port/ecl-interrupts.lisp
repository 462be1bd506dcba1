;;;; Interrupts of threads where they are disabled.
;;;;
;;;; ECL 21.2.1 looks at what its C code disables first: an interrupt that comes while that allocates, or sets up a
;;;; frame to unwind to, runs right after, also within MP:WITHOUT-INTERRUPTS. An exit then leaves Python's frames
;;;; behind, or a lock locked. So its handler is not called there: what waits is looked at when they are enabled.
;;;; Nor is it called in threads that are not ECL's, of which it makes the end of the process.
;;;;
;;;; The same signal wakes threads that wait for a lock, with nothing to be run: it may come when they are in
;;;; Python by then, which is not to be interrupted by that.

(in-package #:pyrite/port)

(ffi:clines "
#include <signal.h>

/* NULL in threads that are not ECL's. */
extern cl_env_ptr ecl_process_env_unsafe(void);

static void (*pyrite_ecl_handler)(int, siginfo_t *, void *);

static void pyrite_interrupted(int number, siginfo_t *info, void *context)
{
    cl_env_ptr env = ecl_process_env_unsafe();
    if (env != NULL && ECL_SYM_VAL(env, ECL_INTERRUPTS_ENABLED) != ECL_NIL)
        pyrite_ecl_handler(number, info, context);
}

static void (*pyrite_python_handler)(int, siginfo_t *, void *);

static void pyrite_signalled(int number, siginfo_t *info, void *context)
{
    cl_env_ptr env = ecl_process_env_unsafe();
    if (env == NULL || env->interrupt_struct->pending_interrupt != ECL_NIL)
        pyrite_python_handler(number, info, context);
}

/* Have HANDLER called at the signal, and what was before kept in OLD. */
static void pyrite_put_handler(void (*handler)(int, siginfo_t *, void *), void (**old)(int, siginfo_t *, void *))
{
    int number = ecl_get_option(ECL_OPT_THREAD_INTERRUPT_SIGNAL);
    struct sigaction action;
    if (number <= 0 || sigaction(number, NULL, &action) != 0 || !(action.sa_flags & SA_SIGINFO)
        || action.sa_sigaction == handler)
        return;
    *old = action.sa_sigaction;
    action.sa_sigaction = handler;
    sigaction(number, &action, NULL);
}
")

(defun take-interrupts ()
  "Have our handler called before ECL's; this function."
  (ffi:c-inline () () :void "pyrite_put_handler(pyrite_interrupted, &pyrite_ecl_handler);")
  #'take-interrupts)

(defun python-started ()
  "libpyrite has put its handler before ours: have it not called when nothing is to be run."
  (ffi:c-inline () () :void "pyrite_put_handler(pyrite_signalled, &pyrite_python_handler);"))

(defvar *interrupts* (take-interrupts)
  "The function of the handler's file, which ECL must not unload when it is loaded again: the handler stays.")
