# Everything that one does with this project. `make demo` and `make test` need nothing prepared.

PREFIX ?= /usr/local
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
HEADER = $$(ls -t target/release/build/pyrite-*/out/pyrite.h | head -n 1)
# Lisp sees this checkout and Debian's libraries, and no other configuration.
export CL_SOURCE_REGISTRY = (:source-registry (:also-exclude "cl-asdf") (:directory "$(CURDIR)/lisp/") (:tree "/usr/share/common-lisp/source/") :ignore-inherited-configuration)

.PHONY: demo test setup bench soak lint header reference check-c check-threads install uninstall clean

demo: setup
	sbcl --noinform --non-interactive --disable-debugger --load examples/lisp/wine.lisp

test: setup
	tests/run.sh

setup:
	.ci/setup

bench: setup
	sbcl --noinform --non-interactive --disable-debugger --load bench/run.lisp

# SECONDS=600, SEED=a number, LISP=sbcl or ecl.
soak: setup
	SOAK_SECONDS="$(or $(SECONDS),600)" SOAK_SEED="$(SEED)" tests/soak.sh $(or $(LISP),sbcl)

lint: setup
	cargo fmt --check
	cargo clippy --release --all-targets --quiet -- -D warnings
	tests/lint.sh

header:
	cargo build --release --quiet
	cp "$(HEADER)" include/pyrite.h

reference: setup
	PYRITE_ACCEPT=1 tests/run.sh sbcl reference

check-c: setup
	tests/check-c.sh

check-threads: setup
	tests/check-threads.sh

install:
	cargo build --release --quiet
	install -d "$(DESTDIR)$(PREFIX)/lib/pkgconfig" "$(DESTDIR)$(PREFIX)/include"
	install -m 755 target/release/libpyrite.so "$(DESTDIR)$(PREFIX)/lib/libpyrite.so.$(VERSION)"
	ln -sf libpyrite.so.$(VERSION) "$(DESTDIR)$(PREFIX)/lib/libpyrite.so.0"
	ln -sf libpyrite.so.0 "$(DESTDIR)$(PREFIX)/lib/libpyrite.so"
	install -m 644 target/release/libpyrite.a "$(DESTDIR)$(PREFIX)/lib/libpyrite.a"
	install -m 644 include/pyrite.h "$(DESTDIR)$(PREFIX)/include/pyrite.h"
	printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$${prefix}/lib' 'includedir=$${prefix}/include' '' \
	  'Name: pyrite' 'Description: CPython embedded in any host that can call C' \
	  'Version: $(VERSION)' 'Libs: -L$${libdir} -lpyrite' 'Cflags: -I$${includedir}' \
	  > "$(DESTDIR)$(PREFIX)/lib/pkgconfig/pyrite.pc"

uninstall:
	rm -f "$(DESTDIR)$(PREFIX)"/lib/libpyrite.* "$(DESTDIR)$(PREFIX)/include/pyrite.h" \
	  "$(DESTDIR)$(PREFIX)/lib/pkgconfig/pyrite.pc"

clean:
	cargo clean
	rm -rf .venv demo.png
