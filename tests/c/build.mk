# Compiles the programs of examples/c and tests/c into target/c/VARIANT. Run by tests/run-c.sh and
# tests/check-c.sh, which set LIBPYTHON to the path of a shared libpython and VARIANTS to some of
# c99, cxx11 and asan.

CC = cc
CXX = c++
OUT := target/c
SOURCES := $(wildcard examples/c/*.c tests/c/*.c)
HEADERS := $(wildcard include/*.h examples/c/*.h tests/c/*.h)
WARNINGS := -Wall -Wextra -Werror -pedantic
FLAGS = -g -pthread $(WARNINGS) -Iinclude -Iexamples/c -Itests/c
# libpyrite.so.0 is found beside the variants' folders, whatever the checkout is called. libpython
# comes after libpyrite, which needs it: linkers drop libraries that nobody before them needs.
LINK = $(OUT)/libpyrite.so.0 $(LIBPYTHON) -Wl,-rpath,'$$ORIGIN/../../..' -Wl,-rpath,$(dir $(LIBPYTHON)) -lm

c99 := $(CC) -std=c99 -O1
cxx11 := $(CXX) -std=c++11 -O1 -x c++
asan := $(CC) -std=c99 -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all

programs = $(patsubst %.c,$(OUT)/$(1)/%,$(SOURCES))

all: $(foreach variant,$(VARIANTS),$(call programs,$(variant)))

# $(1) is the variant. -x is for the sources only: libraries on the line are what they are.
define rule
$(OUT)/$(1)/%: %.c $(HEADERS) $(OUT)/linked-with $(OUT)/libpyrite.so.0 tests/c/build.mk
	@mkdir -p $$(dir $$@)
	@rm -f $$@
	$$($(1)) $$(FLAGS) $$< -x none -o $$@ $$(LINK)
endef
$(foreach variant,c99 cxx11 asan,$(eval $(call rule,$(variant))))

# Another Python or compiler means linking anew; the library itself may change without that.
$(OUT)/linked-with: FORCE
	@mkdir -p $(OUT)
	@echo '$(CC) $(CXX) $(LIBPYTHON)' | cmp -s - $@ || echo '$(CC) $(CXX) $(LIBPYTHON)' > $@

$(OUT)/libpyrite.so.0:
	@mkdir -p $(OUT)
	ln -sf ../release/libpyrite.so $@

FORCE:
.PHONY: all FORCE
