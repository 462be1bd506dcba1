//! The host's answers to Python's questions.

use std::time::Duration;

use pyo3::exceptions::PyBaseException;
use pyo3::prelude::*;

use super::{cell, place};
use crate::abi::*;
use crate::fault::Record;
use crate::{ask, bridge, decode, dispatch, guard, interrupt, text, thread};

/// Answer with `value`, any value.
///
/// To be called by the host's `pyr_ask_function`, or between `pyr_serve` and `pyr_served`; the last answer
/// counts. Returns `PYR_OK`, `PYR_PYTHON_ERROR` when Python cannot make the value, or a status for a bad
/// argument.
///
/// # Safety
/// `reply` is the place that came with the question; `value` can be read with all that it points to. Either
/// may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_reply_value(reply: *mut pyr_reply, value: *const pyr_value) -> pyr_status {
    guard::reply(|py| {
        // SAFETY: promised by the caller; NULL is refused.
        let (reply, value) = unsafe { (place(reply, "the reply")?, cell(value, "the value")?) };
        ask::reply_with(reply, decode::value(py, value)?, false);
        Ok(())
    })
}

/// Answer by raising `exception`: a Python exception, of which the host has a handle, or the class of one
/// (a name, say). The rest as for `pyr_reply_value`; what is no exception is a TypeError.
///
/// # Safety
/// As for `pyr_reply_value`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_reply_raise(reply: *mut pyr_reply, exception: *const pyr_value) -> pyr_status {
    guard::reply(|py| {
        // SAFETY: promised by the caller; NULL is refused.
        let (reply, exception) = unsafe { (place(reply, "the reply")?, cell(exception, "the exception")?) };
        let exception = decode::value(py, exception)?;
        // An exception of too deep a recursion leaves no room for more than this.
        let exception = if exception.is_instance_of::<PyBaseException>() {
            exception
        } else {
            bridge::call_in_room(py, "exception", (exception,))?
        };
        ask::reply_with(reply, exception, true);
        Ok(())
    })
}

/// Answer by raising an error of the host's own, `_pyrite.HostError` with the `message` (text) and the
/// attribute `payload` (any value, a loan for instance, or NULL for None), by which the host knows it again
/// when it comes back.
///
/// With `unwind` not 0 it is a `_pyrite.HostUnwind`, which is a `KeyboardInterrupt` and no `Exception`: Python
/// code that catches exceptions lets it pass, `finally` and `with` do their work, and the host goes on with an
/// exit that it began. The rest as for `pyr_reply_value`.
///
/// # Safety
/// As for `pyr_reply_value`; `message` and `payload` can be read with all that they point to, or are NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_reply_fail(
    reply: *mut pyr_reply,
    message: *const pyr_value,
    payload: *const pyr_value,
    unwind: i32,
) -> pyr_status {
    let answer = |py: Python<'_>| {
        // SAFETY: promised by the caller; NULL is refused.
        let (reply, message) = unsafe { (place(reply, "the reply")?, cell(message, "the message")?) };
        let message = text::to_python(py, text::checked(message)?)?;
        // SAFETY: promised by the caller.
        let payload = match unsafe { payload.as_ref() } {
            Some(payload) => decode::value(py, payload)?,
            None => py.None().into_bound(py),
        };
        let exception = bridge::call_in_room(py, "host_error", (message, payload, unwind != 0))?;
        ask::reply_with(reply, exception, true);
        Ok(())
    };
    interrupt::failing(thread::current(), || guard::reply(answer))
}

/// Wait for a question to a host with the flag `PYR_DISPATCH` from a thread that is in none of the host's
/// calls, `milliseconds` at the most, and take it: `request->ticket` is 0 when none came in that time, or
/// `pyr_serve_wake` was called.
///
/// Whoever takes a question answers it in `request->reply` and gives it back with `pyr_served`; until then
/// the thread that asked waits, for ever if need be. Needs no GIL, nor Python; who holds the GIL keeps others
/// from asking. Returns `PYR_OK` or `PYR_NULL_ARGUMENT`.
///
/// # Safety
/// `request` is writable, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_serve(milliseconds: u32, request: *mut pyr_request) -> pyr_status {
    guard::outside(|| {
        // SAFETY: promised by the caller.
        let request = unsafe { request.as_mut() };
        let request =
            request.ok_or_else(|| Record::plain(PYR_NULL_ARGUMENT, "the place for the request is NULL"))?;
        match dispatch::take(Duration::from_millis(milliseconds.into())) {
            None => request.ticket = 0,
            Some((ticket, asked, idle)) => {
                *request = pyr_request {
                    ticket,
                    id: asked.id,
                    context: asked.context,
                    args: asked.args,
                    reply: asked.reply,
                    nargs: asked.nargs,
                    nkwargs: asked.nkwargs,
                    question: asked.question,
                    idle,
                }
            }
        }
        Ok(())
    })
}

/// Give the question of `ticket` back: `answered` as a `pyr_ask_function` returns it. Returns `PYR_OK`, or
/// `PYR_INVALID_HANDLE` when no such question is taken.
#[unsafe(no_mangle)]
pub extern "C" fn pyr_served(ticket: u64, answered: i32) -> pyr_status {
    guard::outside(|| {
        if dispatch::answer(ticket, answered) {
            Ok(())
        } else {
            Err(Record::plain(
                PYR_INVALID_HANDLE,
                "no question of that ticket is taken",
            ))
        }
    })
}

/// Have all threads that wait in `pyr_serve` return without a question. Returns `PYR_OK`.
#[unsafe(no_mangle)]
pub extern "C" fn pyr_serve_wake() -> pyr_status {
    guard::outside(|| {
        dispatch::wake();
        Ok(())
    })
}
