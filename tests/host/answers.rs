//! A host that answers Python's questions with closures of the tests'.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::abi::*;
use super::calls::Failure;
use super::loans::{Lent, fresh_id};
use super::value::{Arena, Value};
use super::{Host, loaded};

/// One question, and how to answer it: each answer is what a `pyr_ask_function` is to return.
pub struct Asked {
    pub question: pyr_question,
    pub id: u64,
    pub args: Vec<Value>,
    pub keywords: Vec<(Value, Value)>,
    pub reply: *mut pyr_reply,
}

impl Asked {
    /// # Safety
    /// The cells are those of a question that is not answered yet.
    unsafe fn read(
        question: pyr_question,
        id: u64,
        args: *const pyr_value,
        (nargs, nkwargs): (u32, u32),
        reply: *mut pyr_reply,
    ) -> Self {
        // SAFETY: promised by the caller; there are as many cells as is said.
        let cell = |index: u32| unsafe { Value::read(&*args.add(index as usize)) };
        Self {
            question,
            id,
            args: (0..nargs).map(cell).collect(),
            keywords: (0..nkwargs)
                .map(|pair| (cell(nargs + 2 * pair), cell(nargs + 2 * pair + 1)))
                .collect(),
            reply,
        }
    }

    /// The integer that argument `index` is.
    pub fn int(&self, index: usize) -> i64 {
        match self.args[index] {
            Value::Int(integer) => integer,
            ref other => panic!("{other:?} is no integer"),
        }
    }

    /// Answer with a cell as it stands, which nobody looks at before the host has returned.
    pub fn direct(&self, cell: pyr_value) -> i32 {
        // SAFETY: the place for the answer.
        unsafe { *(*self.reply).value = cell };
        1
    }

    pub fn try_value(&self, value: impl Into<Value>) -> Result<(), Failure> {
        let (value, mut arena) = (value.into(), Arena::default());
        let cell = arena.cell(&value);
        // SAFETY: the cell lives until the call returns.
        loaded().checked(unsafe { (loaded().api.pyr_reply_value)(self.reply, &raw const cell) })
    }

    pub fn value(&self, value: impl Into<Value>) -> i32 {
        self.try_value(value).expect("a value");
        1
    }

    pub fn try_raise(&self, exception: impl Into<Value>) -> Result<(), Failure> {
        let (value, mut arena) = (exception.into(), Arena::default());
        let cell = arena.cell(&value);
        // SAFETY: the cell lives until the call returns.
        loaded().checked(unsafe { (loaded().api.pyr_reply_raise)(self.reply, &raw const cell) })
    }

    pub fn raise(&self, exception: impl Into<Value>) -> i32 {
        self.try_raise(exception).expect("an exception");
        1
    }

    pub fn try_fail(&self, message: &str, payload: Option<Value>, unwind: bool) -> Result<(), Failure> {
        let (message, mut arena) = (Value::from(message), Arena::default());
        let message = arena.cell(&message);
        let payload = payload.as_ref().map(|payload| arena.cell(payload));
        let payload = payload.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        let fail = loaded().api.pyr_reply_fail;
        // SAFETY: the cells live until the call returns.
        loaded().checked(unsafe { fail(self.reply, &raw const message, payload, unwind.into()) })
    }

    pub fn fail(&self, message: &str, payload: Option<Value>, unwind: bool) -> i32 {
        self.try_fail(message, payload, unwind).expect("an error");
        1
    }

    /// Give a failure of a call on to Python, as it was.
    pub fn pass_on(&self, failure: &Failure) -> i32 {
        self.raise(Value::Handle(failure.exception))
    }

    /// Give back the handles among the arguments.
    pub fn release_handles(&self) {
        for value in &self.args {
            if let Value::Handle(handle) = value {
                loaded().release(*handle);
            }
        }
    }
}

type Body = Box<dyn Fn(&Asked) -> i32 + Send + Sync>;

/// What answers the questions about a loan, and counts its ends.
pub struct Answerer {
    body: Body,
    pub released: AtomicUsize,
}

/// A loan whose questions a closure answers. What it has is there as long as the process.
pub struct Answering {
    pub lent: Lent,
    pub answerer: &'static Answerer,
}

struct Hosts([pyr_host; 4]);

// SAFETY: function pointers only.
unsafe impl Sync for Hosts {}

const fn host(flags: u32) -> pyr_host {
    pyr_host {
        size: size_of::<pyr_host>(),
        release: Some(note_release),
        ask: Some(answer),
        flags,
        reserved: 0,
    }
}

/// By their flags.
static HOSTS: Hosts = Hosts([
    host(0),
    host(PYR_DISPATCH),
    host(PYR_HOST_UCS4),
    host(PYR_DISPATCH | PYR_HOST_UCS4),
]);

unsafe extern "C" fn note_release(_id: u64, context: *mut c_void) {
    // SAFETY: the context is one that `answering` made.
    let answerer = unsafe { &*context.cast::<Answerer>() };
    answerer.released.fetch_add(1, Ordering::Relaxed);
}

unsafe extern "C" fn answer(
    question: pyr_question,
    id: u64,
    context: *mut c_void,
    args: *const pyr_value,
    nargs: u32,
    nkwargs: u32,
    reply: *mut pyr_reply,
) -> i32 {
    // SAFETY: the library asks as the header says.
    let asked = unsafe { Asked::read(question, id, args, (nargs, nkwargs), reply) };
    // SAFETY: the context is one that `answering` made.
    let answerer = unsafe { &*context.cast::<Answerer>() };
    answerer.answer(&asked)
}

impl Answerer {
    /// A panic of the test's is an error in Python, which names it.
    fn answer(&self, asked: &Asked) -> i32 {
        catch_unwind(AssertUnwindSafe(|| (self.body)(asked)))
            .unwrap_or_else(|_| asked.fail("the test's function panicked", None, false))
    }
}

fn answering(lent: Lent, flags: u32, body: Body) -> Answering {
    let released = AtomicUsize::new(0);
    let answerer: &'static Answerer = Box::leak(Box::new(Answerer { body, released }));
    let lent = lent.with(|loan| {
        loan.host = &raw const HOSTS.0[flags as usize];
        loan.context = std::ptr::from_ref(answerer).cast_mut().cast();
    });
    Answering { lent, answerer }
}

/// A function of the host's; calls and all other questions are answered by `body`.
pub fn function(body: impl Fn(&Asked) -> i32 + Send + Sync + 'static) -> Answering {
    answering(Lent::function(fresh_id()), 0, Box::new(body))
}

/// [`function`] of a host with `flags`.
pub fn function_of(flags: u32, body: impl Fn(&Asked) -> i32 + Send + Sync + 'static) -> Answering {
    answering(Lent::function(fresh_id()), flags, Box::new(body))
}

/// An object of the host's.
pub fn object(body: impl Fn(&Asked) -> i32 + Send + Sync + 'static) -> Answering {
    answering(Lent::object(fresh_id()), 0, Box::new(body))
}

impl Answering {
    pub fn value(&self) -> Value {
        self.lent.value()
    }

    /// How often Python came to keep it, less how often it let go.
    pub fn balance(&self) -> i64 {
        i64::from(self.lent.kept()) - self.answerer.released.load(Ordering::Relaxed) as i64
    }

    /// Bind the Python global `name` to it.
    pub fn named(self, name: &str) -> Self {
        loaded().set(name, self.value()).expect("a global");
        self
    }
}

/// A question that was taken with [`Host::serve`].
pub struct Taken {
    pub request: pyr_request,
    pub asked: Asked,
}

// SAFETY: who takes a question may answer it on any thread.
unsafe impl Send for Taken {}

impl Taken {
    /// Have the closure answer.
    pub fn answer(&self) -> i32 {
        // SAFETY: the context is one that `answering` made.
        unsafe { &*self.request.context.cast::<Answerer>() }.answer(&self.asked)
    }
}

impl Host {
    /// `pyr_serve`: a question, if one comes in time.
    pub fn serve(&self, milliseconds: u32) -> Option<Taken> {
        // SAFETY: plain data.
        let mut request = unsafe { std::mem::zeroed::<pyr_request>() };
        request.ticket = u64::MAX;
        // SAFETY: a local.
        let status = unsafe { (self.api.pyr_serve)(milliseconds, &raw mut request) };
        assert_eq!(status, PYR_OK);
        if request.ticket == 0 {
            return None;
        }
        let counts = (request.nargs, request.nkwargs);
        // SAFETY: the question waits to be answered.
        let asked = unsafe { Asked::read(request.question, request.id, request.args, counts, request.reply) };
        Some(Taken { request, asked })
    }

    pub fn served(&self, ticket: u64, answered: i32) -> pyr_status {
        // SAFETY: any number will do.
        unsafe { (self.api.pyr_served)(ticket, answered) }
    }

    pub fn wake_servers(&self) {
        // SAFETY: takes no arguments.
        assert_eq!(unsafe { (self.api.pyr_serve_wake)() }, PYR_OK);
    }
}
