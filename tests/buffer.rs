//! The memory of Python's objects, looked at in place.

mod host;

use std::sync::{Mutex, MutexGuard, PoisonError};

use host::abi::*;
use host::buffers::Buffer;
use host::value::{Value, int, ints};
use host::{Host, python};

/// The tests here count buffers and stop Python, so there is one at a time.
fn alone() -> (&'static Host, MutexGuard<'static, ()>) {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    (python(), guard)
}

/// The same, with numpy; nothing when there is none.
fn numpy() -> Option<(&'static Host, MutexGuard<'static, ()>)> {
    let (python, alone) = alone();
    match python.import("numpy", None, 0) {
        Ok(module) => python.release(module.handle()),
        Err(failure) => {
            eprintln!("skipped: {}: {}", python.interpreter.name(), failure.message);
            return None;
        }
    }
    Some((python, alone))
}

/// Look at what `source` gives, and give it back.
fn look<R>(python: &Host, source: &str, body: impl FnOnce(&Buffer) -> R) -> R {
    let buffer = python.buffer_of(source);
    let result = body(&buffer);
    python.close_buffer(buffer.0.id).expect("it was held");
    result
}

#[test]
fn every_element_type_is_known() {
    let Some((python, _alone)) = numpy() else { return };
    for (dtype, element, size) in [
        ("float32", PYR_FLOAT32, 4),
        ("float64", PYR_FLOAT64, 8),
        ("int8", PYR_INT8, 1),
        ("int16", PYR_INT16, 2),
        ("int32", PYR_INT32, 4),
        ("int64", PYR_INT64, 8),
        ("longlong", PYR_INT64, 8),
        ("uint8", PYR_UINT8, 1),
        ("uint16", PYR_UINT16, 2),
        ("uint32", PYR_UINT32, 4),
        ("uint64", PYR_UINT64, 8),
        ("complex64", PYR_COMPLEX64, 8),
        ("complex128", PYR_COMPLEX128, 16),
        ("bool", PYR_BOOL8, 1),
        // What has no type of ours.
        ("float16", 0, 2),
        (">i4", 0, 4),
        (">f8", 0, 8),
        ("S3", 0, 3),
        ("O", 0, 8),
        ("[('a', 'i4'), ('b', 'f8')]", 0, 12),
        // A single byte has no order.
        (">i1", PYR_INT8, 1),
    ] {
        let name = if dtype.starts_with('[') {
            dtype.to_owned()
        } else {
            format!("'{dtype}'")
        };
        look(python, &format!("numpy.zeros(3, {name})"), |buffer| {
            let found = (buffer.0.element, buffer.0.item_size, buffer.0.length);
            assert_eq!(found, (element, size, 3 * size), "{dtype}: {}", buffer.format());
            assert_eq!(buffer.shape(), (vec![3], vec![size as isize]));
            assert_eq!(buffer.0.read_only, 0);
        });
    }
}

#[test]
fn arrays_are_seen_however_they_lie() {
    let Some((python, _alone)) = numpy() else { return };
    let base = "numpy.arange(6, dtype='i4').reshape(2, 3)";
    for (source, dimensions, strides, elements) in [
        (base.to_owned(), vec![2, 3], vec![12, 4], vec![0, 1, 2, 3, 4, 5]),
        (
            format!("numpy.asfortranarray({base})"),
            vec![2, 3],
            vec![4, 8],
            vec![0, 1, 2, 3, 4, 5],
        ),
        (
            format!("{base}.T"),
            vec![3, 2],
            vec![4, 12],
            vec![0, 3, 1, 4, 2, 5],
        ),
        (
            format!("{base}[:, ::2]"),
            vec![2, 2],
            vec![12, 8],
            vec![0, 2, 3, 5],
        ),
        (
            format!("{base}[::-1, ::-1]"),
            vec![2, 3],
            vec![-12, -4],
            vec![5, 4, 3, 2, 1, 0],
        ),
        (
            "numpy.broadcast_to(numpy.array([7, 8], 'i4'), (2, 2))".to_owned(),
            vec![2, 2],
            vec![0, 4],
            vec![7, 8, 7, 8],
        ),
        ("numpy.array(42, 'i4')".to_owned(), vec![], vec![], vec![42]),
        (
            "numpy.frombuffer(b'x' + bytes([1, 0, 0, 0]), '<i4', offset=1)".to_owned(),
            vec![1],
            vec![4],
            vec![1],
        ),
    ] {
        look(python, &source, |buffer| {
            assert_eq!(buffer.0.element, PYR_INT32, "{source}: {}", buffer.format());
            assert_eq!(buffer.shape(), (dimensions, strides), "{source}");
            assert_eq!(buffer.elements::<i32>(), elements, "{source}");
        });
    }
    for source in [
        "numpy.zeros((0,))",
        "numpy.zeros((2, 0, 3))",
        "b''",
        "bytearray()",
    ] {
        look(python, source, |buffer| {
            assert_eq!(buffer.0.length, 0, "{source}");
            assert!(buffer.shape().0.contains(&0), "{source}");
        });
    }
    look(python, "numpy.broadcast_to(1.0, 3)", |buffer| {
        assert_eq!(buffer.0.read_only, 1)
    });
}

#[test]
fn other_objects_have_memory_too() {
    let (python, _alone) = alone();
    python.exec("import array, ctypes, mmap").expect("modules");
    for (source, element, format, read_only, bytes) in [
        ("b'abc'", PYR_UINT8, "B", 1, b"abc".to_vec()),
        ("bytearray(b'abc')", PYR_UINT8, "B", 0, b"abc".to_vec()),
        ("memoryview(b'abcdef')[::-2]", PYR_UINT8, "B", 1, b"fdb".to_vec()),
        ("memoryview(b'abc').cast('c')", PYR_UINT8, "c", 1, b"abc".to_vec()),
        ("array.array('b', [1, -1])", PYR_INT8, "b", 0, vec![1, 255]),
        ("memoryview(b'ab').cast('?')", PYR_BOOL8, "?", 1, b"ab".to_vec()),
        ("(ctypes.c_uint8 * 3)(1, 2, 3)", PYR_UINT8, "<B", 0, vec![1, 2, 3]),
    ] {
        look(python, source, |buffer| {
            let found = (buffer.0.element, buffer.format(), buffer.0.read_only);
            assert_eq!(found, (element, format.to_owned(), read_only), "{source}");
            assert_eq!(buffer.elements::<u8>(), bytes, "{source}");
        });
    }
    look(python, "array.array('d', [0.5, -2.5])", |buffer| {
        assert_eq!(buffer.0.element, PYR_FLOAT64);
        assert_eq!(buffer.elements::<f64>(), [0.5, -2.5]);
    });
    // ctypes gives no strides, and its formats say one thing and its sizes another.
    look(
        python,
        "((ctypes.c_long * 3) * 2)((1, 2, 3), (4, 5, 6))",
        |buffer| {
            assert_eq!(buffer.0.element, PYR_INT64, "{}", buffer.format());
            assert_eq!(buffer.shape(), (vec![2, 3], vec![24, 8]));
            assert_eq!(buffer.elements::<i64>(), [1, 2, 3, 4, 5, 6]);
        },
    );
    look(python, "mmap.mmap(-1, 4096)", |buffer| {
        assert_eq!((buffer.0.length, buffer.0.read_only), (4096, 0));
        buffer.write(&[4095], 1u8);
    });
    look(
        python,
        "memoryview(bytes(range(6))).cast('B', (2, 3))",
        |buffer| {
            assert_eq!(buffer.shape(), (vec![2, 3], vec![3, 1]));
            assert_eq!(buffer.read::<u8>(&[1, 0]), 3);
        },
    );
}

#[test]
fn both_sides_see_what_the_other_writes() {
    let Some((python, _alone)) = numpy() else { return };
    python.exec("shared = numpy.zeros((2, 2))").expect("an array");
    let buffer = python
        .buffer(python.remote("shared"), PYR_WRITABLE)
        .expect("a buffer");
    buffer.write(&[0, 1], 1.5f64);
    assert_eq!(
        python.eval("float(shared[0, 1])").expect("a number"),
        Value::Float(1.5)
    );
    python
        .exec("shared *= 2; shared[1, 0] = -1")
        .expect("a statement");
    assert_eq!(buffer.elements::<f64>(), [0.0, 3.0, -1.0, 0.0]);
    python.close_buffer(buffer.0.id).expect("held");
}

#[test]
fn what_cannot_be_had_is_python_s_exception() {
    let (python, _alone) = alone();
    let base = python.buffer_count();
    for (value, flags, kind) in [
        (int(1), 0, "TypeError"),
        (Value::None, 0, "TypeError"),
        ("text".into(), 0, "TypeError"),
        (ints([1, 2]), 0, "TypeError"),
        (Value::Bytes(b"abc".to_vec()), PYR_WRITABLE, "BufferError"),
    ] {
        let failure = python.buffer(&value, flags).expect_err("no buffer");
        assert_eq!(
            (failure.status, failure.type_name.as_str()),
            (PYR_PYTHON_ERROR, kind),
            "{value:?}"
        );
    }
    let bytes = Value::Bytes(b"abc".to_vec());
    assert_eq!(
        python.buffer(&bytes, 2).expect_err("a flag").status,
        PYR_INVALID_FLAGS
    );
    assert_eq!(
        python
            .buffer(Value::Bare { tag: 0, aux: 0 }, 0)
            .expect_err("a cell")
            .status,
        PYR_INVALID_TAG
    );
    // SAFETY: NULL is refused; the cell and the buffer live until the calls return.
    unsafe {
        let (cell, mut buffer) = (pyr_value::integer(PYR_INT, 1), std::mem::zeroed::<pyr_buffer>());
        let get = python.api.pyr_buffer_get;
        assert_eq!(get(std::ptr::null(), 0, &raw mut buffer), PYR_NULL_ARGUMENT);
        assert_eq!(get(&raw const cell, 0, std::ptr::null_mut()), PYR_NULL_ARGUMENT);
        assert_eq!(get(&raw const cell, 0, &raw mut buffer), PYR_PYTHON_ERROR);
        assert!(buffer.id == 0 && buffer.data.is_null());
    }
    assert_eq!(python.buffer_count(), base);
}

#[test]
fn a_value_of_the_host_becomes_an_object_that_only_the_buffer_holds() {
    let (python, _alone) = alone();
    let base = python.buffer_count();
    let buffer = python.buffer(Value::Bytes(b"abc".to_vec()), 0).expect("a buffer");
    assert_eq!(buffer.elements::<u8>(), b"abc");
    assert_eq!(python.buffer_count(), base + 1);
    python.close_buffer(buffer.0.id).expect("held");
    assert_eq!(python.buffer_count(), base);
}

#[test]
fn a_bytearray_is_not_resized_while_viewed() {
    let (python, _alone) = alone();
    python.exec("viewed = bytearray(b'abc')").expect("an object");
    let buffer = python.buffer_of("viewed");
    let failure = python.exec("viewed.append(1)").expect_err("it is viewed");
    assert_eq!(failure.type_name, "BufferError");
    buffer.write(&[0], b'X');
    python.close_buffer(buffer.0.id).expect("held");
    python
        .exec("viewed.append(1)")
        .expect("it is not viewed any more");
    assert_eq!(
        python.eval("bytes(viewed)").expect("bytes"),
        Value::Bytes(b"Xbc\x01".to_vec())
    );
}

#[test]
fn the_exporter_lives_as_long_as_the_buffer() {
    let (python, _alone) = alone();
    python
        .exec("import weakref, gc, array; kept = array.array('d', [1, 2]); seen = weakref.ref(kept)")
        .expect("it");
    let buffer = python.buffer_of("kept");
    python.exec("del kept; gc.collect()").expect("a statement");
    assert_eq!(buffer.elements::<f64>(), [1.0, 2.0]);
    assert_eq!(python.eval("seen() is None").expect("a bool"), Value::Bool(false));
    python.retain_buffer(buffer.0.id).expect("held");
    python.close_buffer(buffer.0.id).expect("held twice");
    assert_eq!(python.eval("seen() is None").expect("a bool"), Value::Bool(false));
    // Some time: the next call pays.
    python.release_buffer(buffer.0.id);
    assert_eq!(python.eval("seen() is None").expect("a bool"), Value::Bool(true));
}

#[test]
fn stale_and_made_up_ids_are_statuses() {
    let (python, _alone) = alone();
    let base = python.buffer_count();
    let buffer = python.buffer_of("b'abc'");
    let (id, handle) = (buffer.0.id, python.remote("b'abc'").handle());
    assert_eq!(
        python.retain(id).expect_err("an id is no handle").status,
        PYR_STALE_HANDLE
    );
    assert_eq!(
        python.close_buffer(handle).expect_err("a handle is no id").status,
        PYR_STALE_HANDLE
    );
    python.release(id);
    assert!(python.settled() > 0 && python.buffer_count() == base + 1);
    python.close_buffer(id).expect("held");
    for _ in 0..3 {
        python.release_buffer(id);
        assert_eq!(
            python.close_buffer(id).expect_err("released").status,
            PYR_STALE_HANDLE
        );
        assert_eq!(
            python.retain_buffer(id).expect_err("released").status,
            PYR_STALE_HANDLE
        );
    }
    // The place of the old one is used again; the old id does not touch it.
    let next = python.buffer_of("b'def'");
    assert_ne!(next.0.id, id);
    python.release_buffer(id);
    for made_up in [
        0,
        1,
        u64::MAX,
        1 << 63,
        id ^ 1 << 29,
        id + (5 << 30),
        next.0.id | 1 << 62,
    ] {
        let failure = python.close_buffer(made_up).expect_err("made up");
        assert!(
            [PYR_INVALID_HANDLE, PYR_STALE_HANDLE].contains(&failure.status),
            "{made_up:#x}"
        );
        assert!(failure.message.contains("buffer"), "{}", failure.message);
        python.retain_buffer(made_up).expect_err("made up");
        python.release_buffer(made_up);
    }
    assert_eq!(python.buffer_count(), base + 1);
    assert_eq!(next.elements::<u8>(), b"def");
    python.close_buffer(next.0.id).expect("held");
    python.release(handle);
    assert_eq!(python.buffer_count(), base);
}

#[test]
fn many_threads_look_and_give_back() {
    let (python, _alone) = alone();
    let base = python.buffer_count();
    python
        .exec("import array; common = array.array('i', range(1000))")
        .expect("an array");
    let common = python.remote("common").handle();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                for round in 0..300 {
                    let buffer = python
                        .buffer(Value::Handle(common), PYR_WRITABLE)
                        .expect("a buffer");
                    python.retain_buffer(buffer.0.id).expect("held");
                    python.release_buffer(buffer.0.id);
                    buffer.write(&[thread], round);
                    assert_eq!(buffer.read::<i32>(&[999]), 999);
                    if round % 2 == 0 {
                        python.close_buffer(buffer.0.id).expect("held twice");
                    } else {
                        python.release_buffer(buffer.0.id);
                    }
                }
            });
        }
    });
    python.settled();
    assert_eq!(python.buffer_count(), base);
    assert_eq!(
        python.eval("common[:8].tolist()").expect("a list"),
        ints([299; 8])
    );
    python.exec("common.append(1)").expect("nobody looks any more");
    python.release(common);
}

#[test]
fn the_memory_outlives_a_stop() {
    let (python, _alone) = alone();
    let base = python.buffer_count();
    let buffers = [0, 1].map(|_| python.buffer_of("bytearray(b'abc')"));
    python.stop().expect("a stop");
    for buffer in buffers {
        assert_eq!(buffer.elements::<u8>(), b"abc");
        buffer.write(&[1], b'x');
    }
    let status = python
        .buffer(Value::Bytes(vec![1]), 0)
        .expect_err("it does not run")
        .status;
    assert_eq!(status, PYR_NOT_RUNNING);
    assert_eq!(
        python
            .retain_buffer(buffers[0].0.id)
            .expect_err("it does not run")
            .status,
        PYR_NOT_RUNNING
    );
    python.close_buffer(buffers[0].0.id).expect("queued");
    assert_eq!(python.buffer_count(), base + 2);
    assert_eq!(python.start(), PYR_OK);
    python.settled();
    assert_eq!(python.buffer_count(), base + 1);
    assert_eq!(buffers[1].elements::<u8>(), b"axc");
    python
        .retain_buffer(buffers[1].0.id)
        .expect("ids of before the stop are good");
    python.close_buffer(buffers[1].0.id).expect("held twice");
    python.close_buffer(buffers[1].0.id).expect("held");
    assert_eq!(python.buffer_count(), base);
}

#[test]
fn python_code_may_run_when_a_buffer_is_given_back() {
    let (python, _alone) = alone();
    let base = python.buffer_count();
    python
        .exec(
            "class Dying(bytearray):\n    deaths = 0\n    def __del__(self):\n        \
             Dying.deaths += 1\n        raise ValueError('ignored')\nimport sys; sys.unraisablehook = lambda *a: None",
        )
        .expect("a class");
    for _ in 0..2 {
        let buffers: Vec<_> = (0..50).map(|_| python.buffer_of("Dying(b'abc')")).collect();
        buffers[..25]
            .iter()
            .for_each(|buffer| python.close_buffer(buffer.0.id).expect("held"));
        buffers[25..]
            .iter()
            .for_each(|buffer| python.release_buffer(buffer.0.id));
    }
    python.settled();
    assert_eq!(python.eval("Dying.deaths").expect("an int"), int(100));
    assert_eq!(python.buffer_count(), base);
    python
        .exec("sys.unraisablehook = sys.__unraisablehook__")
        .expect("a statement");
}
