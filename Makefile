# Builds, tests and installs all of Busbar, out of tree in $(BUILD); `make help` lists the targets.

VERSION := $(shell sed -n 's/^.define BUSBAR_VERSION "\(.*\)"/\1/p' \
	client-lib/include/busbar/client.h)
SOVERSION := 0

SANITIZE ?=
BUILD ?= build$(if $(SANITIZE),/$(if $(filter thread,$(SANITIZE)),tsan,asan))
PREFIX ?= /usr/local
DESTDIR ?=

ifeq ($(origin CC),default)
CC := gcc
endif
OBJCOPY ?= objcopy
NM ?= nm

# Rooms with public headers.
PUBLIC_ROOMS := protocol client-lib objects worker-lib app broker

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Wwrite-strings -Wpointer-arith -Wundef
CFLAGS ?= -O2 -g
BUSBAR_CFLAGS = -std=gnu11 -fPIC -fno-semantic-interposition -pthread $(WARNINGS) $(CFLAGS) \
	$(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all)
BUSBAR_CPPFLAGS = -D_GNU_SOURCE -DBUSBAR_VERSION='"$(VERSION)"' \
	-I. $(foreach room,$(PUBLIC_ROOMS),-I$(room)/include) $(CPPFLAGS)
BUSBAR_LDFLAGS = -pthread $(if $(SANITIZE),-fsanitize=$(SANITIZE)) -Wl,--as-needed $(LDFLAGS)

# One job per core unless told otherwise; `clean` must not race with what is built after it.
ifneq ($(filter clean,$(MAKECMDGOALS)),)
.NOTPARALLEL:
else ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif
MAKEFLAGS += --no-print-directory

.SECONDEXPANSION:
.DELETE_ON_ERROR:
.SUFFIXES:

comma := ,
V ?= 0
QUIET := $(if $(filter 0,$(V)),@)
SAY = $(if $(filter 0,$(V)),@printf '%-5s %s\n' '$(1)' '$(2)')

.PHONY: all
all: ## programs and libraries (the default)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s%s\n", $$1, $$2 }' \
		$(filter Makefile %.mk,$(MAKEFILE_LIST))
	@echo 'Variables: BUILD=build  CC=gcc  CFLAGS  SANITIZE=address,undefined|thread  PREFIX  DESTDIR'
	@echo '           V=1 (show commands)  TEST_FILTER=name (only tests whose path contains it)'
	@echo 'make unit/test_value builds and runs one unit test'

# Packages and pkg-config ------------------------------------------------------------------------
# dependencies.mk is a makefile that make builds first and then starts over with, so that on a bare
# machine pkg-config is asked only after it was installed.

.PHONY: packages
packages: ## installs what is missing of build-aux/packages.txt
	@build-aux/install-packages.sh build

$(BUILD)/dependencies.mk: Makefile | packages
	@mkdir -p $(@D)
	@build-aux/find-libraries.sh >$@

ifneq ($(filter-out help clean uninstall packages format,$(or $(MAKECMDGOALS),all)),)
include $(BUILD)/dependencies.mk
endif

LIBRARY_LIBS = $(zmq_LIBS) $(yaml_LIBS) $(msgpack_LIBS) $(ffi_LIBS) -pthread -ldl
ROOM_LIBS = $(LIBRARY_LIBS) $(jansson_LIBS)
TEST_LIBS = $(cmocka_LIBS) $(czmq_LIBS) $(ROOM_LIBS) -lm
BUSBAR_CPPFLAGS += $(zmq_CFLAGS) $(yaml_CFLAGS) $(msgpack_CFLAGS) $(jansson_CFLAGS) $(ffi_CFLAGS) \
	$(czmq_CFLAGS) $(cmocka_CFLAGS)

# Rooms ------------------------------------------------------------------------------------------
# From top to bottom; NEEDS_x is what a room may include and so must be linked with.

ROOMS := cli app worker-lib objects client-lib broker transport settings protocol base
NEEDS_base :=
NEEDS_protocol := base
NEEDS_settings := base
NEEDS_transport := protocol base
NEEDS_client-lib := transport protocol settings base
NEEDS_objects := client-lib transport protocol settings base
NEEDS_worker-lib := client-lib transport protocol settings base
NEEDS_app := worker-lib objects client-lib transport protocol settings base
NEEDS_broker := transport protocol settings base
NEEDS_cli := app worker-lib objects client-lib transport protocol settings base

MAINS := broker/busbard.c cli/main.c
room_sources = $(filter-out $(MAINS),$(wildcard $(1)/*.c))
objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
room_objects = $(foreach room,$(1),$(call objects,$(call room_sources,$(room))))
rooms_closed = $(filter $(1) $(foreach room,$(1),$(NEEDS_$(room))),$(ROOMS))
room_archives = $(patsubst %,$(BUILD)/rooms/%.a,$(call rooms_closed,$(1)))

# The rooms whose headers the given sources include.
rooms_of = $(shell cat $(1) </dev/null 2>/dev/null | sed -n \
	-e 's|^\#include <busbar/client\.h>.*|client-lib|p' \
	-e 's|^\#include <busbar/worker\.h>.*|worker-lib|p' \
	-e 's|^\#include <busbar/object\.h>.*|objects|p' \
	-e 's|^\#include <busbar/app\.h>.*|app|p' \
	-e 's|^\#include <busbar/broker\.h>.*|broker|p' \
	-e 's|^\#include <busbar/.*|protocol|p' \
	-e 's|^\#include "\([a-z-]*\)/.*|\1|p' | sort -u)

# These two hold the flags and the list of sources: when those change, what depends on them is made
# again.
.PHONY: FORCE
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo $(call quote,$(CC) $(BUSBAR_CFLAGS) $(BUSBAR_CPPFLAGS) $(BUSBAR_LDFLAGS)) | \
		build-aux/write-if-changed.sh $@

$(BUILD)/sources: FORCE
	@mkdir -p $(@D)
	@echo $(wildcard $(addsuffix /*.c,$(ROOMS))) | build-aux/write-if-changed.sh $@

quote = '$(subst ','\'',$(1))'

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call SAY,CC,$<)
	$(QUIET)$(CC) $(BUSBAR_CPPFLAGS) $(BUSBAR_CFLAGS) -MMD -MP -c $< -o $@

$(patsubst %,$(BUILD)/rooms/%.a,$(ROOMS)): $(BUILD)/rooms/%.a: $$(call room_objects,$$*) \
		$(BUILD)/sources
	@mkdir -p $(@D)
	@rm -f $@
	$(call SAY,AR,$@)
	$(QUIET)ar rcs $@ $(filter %.o,$^)

link = $(CC) $(BUSBAR_CFLAGS) $(BUSBAR_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(1)

# Libraries --------------------------------------------------------------------------------------
# Each library is one relocatable object in which only busbar_* stays global. What the worker library
# needs of the internals inside libbusbar-client is renamed to busbar_private_* in both. The broker
# library stands alone: only busbar_broker_* is to be seen of it, so that a program may hold it
# together with the others.

CLIENT := $(BUILD)/libbusbar-client
WORKER := $(BUILD)/libbusbar-worker
BROKER := $(BUILD)/libbusbar-broker
PARTS := $(BUILD)/parts
LIBRARIES := $(foreach lib,$(CLIENT) $(WORKER) $(BROKER),$(lib).a $(lib).so)

$(PARTS)/client.o: $$(call room_objects,base protocol settings transport client-lib objects)
$(PARTS)/worker.o: $$(call room_objects,worker-lib app)
$(PARTS)/broker.o: $$(call room_objects,base protocol settings transport broker)
$(PARTS)/client.o $(PARTS)/worker.o $(PARTS)/broker.o: $(BUILD)/sources
	@mkdir -p $(@D)
	$(call SAY,LD,$@)
	$(QUIET)$(if $(filter %.o,$^),$(LD) -r -o $@ $(filter %.o,$^),$(CC) -c -x c /dev/null -o $@)

$(PARTS)/private.syms: $(PARTS)/client.o $(PARTS)/worker.o build-aux/private-symbols.sh
	@NM='$(NM)' build-aux/private-symbols.sh $(PARTS)/client.o $(PARTS)/worker.o >$@

$(PARTS)/libbusbar-client.o $(PARTS)/libbusbar-worker.o: $(PARTS)/libbusbar-%.o: $(PARTS)/%.o \
		$(PARTS)/private.syms
	$(call SAY,HIDE,$@)
	$(QUIET)$(OBJCOPY) --redefine-syms=$(PARTS)/private.syms $< $@.renamed
	$(QUIET)$(OBJCOPY) --wildcard --keep-global-symbol='busbar_*' $@.renamed $@
	@rm -f $@.renamed

$(PARTS)/libbusbar-broker.o: $(PARTS)/broker.o
	$(call SAY,HIDE,$@)
	$(QUIET)$(OBJCOPY) --wildcard --keep-global-symbol='busbar_broker_*' $< $@

$(CLIENT).a $(WORKER).a $(BROKER).a: $(BUILD)/%.a: $(PARTS)/%.o
	$(call SAY,AR,$@)
	@rm -f $@
	$(QUIET)ar rcs $@ $<

# A library may leave nothing undefined; except a sanitizer's own symbols, which the program has.
NO_UNDEFINED := $(if $(SANITIZE),,-Wl$(comma)-z$(comma)defs)

$(CLIENT).so $(WORKER).so $(BROKER).so: $(BUILD)/%.so: $(PARTS)/%.o build-aux/library.map $(BUILD)/flags
	$(call SAY,LD,$@)
	$(QUIET)$(CC) $(BUSBAR_CFLAGS) $(BUSBAR_LDFLAGS) -shared $(NO_UNDEFINED) \
		-Wl,-soname,$(@F).$(SOVERSION) -Wl,--version-script=build-aux/library.map \
		-o $@.$(VERSION) $< $(filter %.so,$^) $(LIBRARY_LIBS)
	@ln -sf $(@F).$(VERSION) $@.$(SOVERSION)
	@ln -sf $(@F).$(SOVERSION) $@
$(WORKER).so: $(CLIENT).so

PUBLIC_ARCHIVES := $(WORKER).a $(CLIENT).a
# For programs that hold the broker library, so that `broker: {embed: …}` needs to open none.
EMBED := -Wl,-u,busbar_broker_new

# Programs ---------------------------------------------------------------------------------------

PROGRAMS := $(if $(wildcard broker/busbard.c),$(BUILD)/busbard) \
	$(if $(wildcard cli/main.c),$(BUILD)/busbar)

$(BUILD)/busbard: $(call objects,broker/busbard.c) $$(call room_archives,broker)
	$(call SAY,LINK,$@)
	$(QUIET)$(call link,$(LIBRARY_LIBS))

$(BUILD)/busbar: $(call objects,cli/main.c) $$(call room_objects,cli) $(PUBLIC_ARCHIVES) $(BROKER).a
	$(call SAY,LINK,$@)
	$(QUIET)$(call link,$(EMBED) $(LIBRARY_LIBS) $(jansson_LIBS))

all: $(PROGRAMS) $(LIBRARIES)

# Programs that are built as a user would: with the public libraries only.
programs_of = $(patsubst %.c,$(BUILD)/%,$(foreach file,$(1),$(if $(filter lib%,$(notdir $(file))),,\
	$(file))))
EXAMPLES := $(call programs_of,$(wildcard examples/*/*.c))
TEST_PROGRAMS := $(call programs_of,$(wildcard tests/programs/*.c))
FUNCTION_BENCH := $(BUILD)/bench/function
SOAK_KIT := tests/soak/soak.c
SOAKS := $(patsubst %.c,$(BUILD)/%,$(filter-out $(SOAK_KIT),$(wildcard tests/soak/*.c)))

$(EXAMPLES) $(TEST_PROGRAMS) $(FUNCTION_BENCH): $(BUILD)/%: $(BUILD)/obj/%.o $(PUBLIC_ARCHIVES) \
		$(BROKER).a
	@mkdir -p $(@D)
	$(call SAY,LINK,$@)
	$(QUIET)$(call link,$(EMBED) $(ROOM_LIBS) -lm)

# Shared libraries that include no header of ours: plain C, to be exported by a file alone.
PLAIN_LIBRARIES := $(patsubst %.c,$(BUILD)/%.so,$(wildcard examples/*/lib*.c tests/programs/lib*.c))
$(PLAIN_LIBRARIES): $(BUILD)/%.so: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call SAY,LD,$@)
	$(QUIET)$(CC) $(BUSBAR_CFLAGS) $(BUSBAR_LDFLAGS) -shared -o $@ $<

$(SOAKS): $(BUILD)/%: $(BUILD)/obj/%.o $(call objects,$(SOAK_KIT)) $(PUBLIC_ARCHIVES)
	@mkdir -p $(@D)
	$(call SAY,LINK,$@)
	$(QUIET)$(call link,$(LIBRARY_LIBS))

# The files of the examples, beside what was built of them.
EXAMPLE_FILES := $(patsubst %,$(BUILD)/%,$(wildcard examples/*/*.yaml examples/*/*.sh))
$(EXAMPLE_FILES): $(BUILD)/%: %
	@mkdir -p $(@D)
	@cp -p $< $@

.PHONY: examples
examples: $(EXAMPLES) $(PLAIN_LIBRARIES) $(EXAMPLE_FILES) ## the programs of examples/

# Tests ------------------------------------------------------------------------------------------
# A test is linked with the rooms whose headers it includes and those below them.

UNIT_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c))
# Headers beside the unit tests that a test includes, and the sources of those headers.
unit_headers = $(wildcard $(shell sed -n \
	's#^.include "\(tests/unit/\)\{0,1\}\([a-z0-9_]*\.h\)".*#tests/unit/\2#p' $(1)))
unit_kit = $(wildcard $(patsubst %.h,%.c,$(call unit_headers,$(1))))
unit_files = tests/$(1).c $(call unit_headers,tests/$(1).c) $(call unit_kit,tests/$(1).c)
INTEGRATION_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/integration/test_*.c))
KIT := $(wildcard tests/kit/*.c)
# What does not depend on how it was compiled is tested in the plain build alone.
SHELL_TESTS := $(wildcard $(if $(SANITIZE),tests/sanitizers/test_*.sh,$(patsubst %,tests/%/test_*.sh,\
	structure packaging interop mutants guard)) tests/integration/test_*.sh)

# Beside the tests, where what embeds a broker looks for its library first.
BROKER_BESIDE := $(BUILD)/tests/unit/$(notdir $(BROKER)).so.$(SOVERSION)
$(BROKER_BESIDE): $(BROKER).so
	@mkdir -p $(@D)
	@ln -sf ../../$(@F) $@

$(UNIT_TESTS): | $(BROKER_BESIDE)
$(UNIT_TESTS): $(BUILD)/tests/%: $(BUILD)/obj/tests/%.o \
		$$(call objects,$$(call unit_kit,tests/$$*.c)) \
		$$(call room_archives,$$(call rooms_of,$$(call unit_files,$$*)))
	@mkdir -p $(@D)
	$(call SAY,LINK,$@)
	$(QUIET)$(call link,$(TEST_LIBS))

$(INTEGRATION_TESTS): $(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(call objects,$(KIT)) \
		$$(call room_archives,$$(call rooms_of,tests/$$*.c $(KIT) $(wildcard tests/kit/*.h))) \
		$(BROKER).a
	@mkdir -p $(@D)
	$(call SAY,LINK,$@)
	$(QUIET)$(call link,$(EMBED) $(TEST_LIBS))

# Fuzz drivers, here with inputs that are the same in each run; tests/fuzz/fuzz.h is their entry.
FUZZ_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_KIT := tests/fuzz/main.c tests/fuzz/seeds.c tests/unit/vectors.c

$(FUZZ_TESTS): $(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(call objects,$(FUZZ_KIT)) \
		$$(call room_archives,$$(call rooms_of,tests/$$*.c $(FUZZ_KIT)))
	@mkdir -p $(@D)
	$(call SAY,LINK,$@)
	$(QUIET)$(call link,$(TEST_LIBS))

include $(sort $(wildcard bench/rules.mk tests/*/rules.mk))

.PHONY: tests
tests: ## builds the test programs
tests: $(UNIT_TESTS) $(FUZZ_TESTS) $(SIMULATION) $(INTEGRATION_TESTS) $(FAULT_TESTS) \
	$(TEST_PROGRAMS) $(PLAIN_LIBRARIES) examples

# Without the packages for tests/interop these fail and name what they miss; the others run all the same.
# What has one thread, as the broker beside peers played by hand, is not run where threads are looked for.
ONE_THREAD := $(FUZZ_TESTS) $(SIMULATION) \
	$(addprefix $(BUILD)/tests/integration/test_majordomo_,input life random seldom)
RUN_TESTS := $(UNIT_TESTS) $(FUZZ_TESTS) $(SIMULATION) $(SHELL_TESTS) $(INTEGRATION_TESTS) $(FAULT_TESTS)
.PHONY: test
test: all tests ## runs every test; ends with `N passed, N failed`
	@build-aux/install-packages.sh interop || true
	@BUSBAR_BUILD=$(abspath $(BUILD)) BUSBAR_SANITIZE=$(SANITIZE) \
		CC='$(CC)' CFLAGS=$(call quote,$(CFLAGS)) CPPFLAGS=$(call quote,$(CPPFLAGS)) \
		LDFLAGS=$(call quote,$(LDFLAGS)) \
		tests/run-tests.sh $(filter-out $(if $(filter thread,$(SANITIZE)),$(ONE_THREAD)),$(RUN_TESTS))

FUZZ_SECONDS ?= 60
.PHONY: fuzz
fuzz: ## libFuzzer on each driver for FUZZ_SECONDS, with clang; corpora stay in $(BUILD)/fuzz
	@BUILD='$(BUILD)' FUZZ_SECONDS=$(FUZZ_SECONDS) CPPFLAGS=$(call quote,$(BUSBAR_CPPFLAGS)) \
		LIBS='$(TEST_LIBS)' tests/fuzz/run.sh

.PHONY: unit
unit: $(UNIT_TESTS) ## builds and runs the unit tests alone
	@BUSBAR_BUILD=$(abspath $(BUILD)) BUSBAR_SANITIZE=$(SANITIZE) tests/run-tests.sh $(UNIT_TESTS)

unit/%: $(BUILD)/tests/unit/%
	$<

integration/%: all examples $(TEST_PROGRAMS) $(PLAIN_LIBRARIES) $(BUILD)/tests/integration/%
	BUSBAR_BUILD=$(abspath $(BUILD)) $(BUILD)/tests/integration/$*

.PHONY: check-asan check-tsan check-valgrind
check-asan: ## the tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@ASAN_OPTIONS=detect_leaks=1:$(ASAN_OPTIONS) \
		UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1:$(UBSAN_OPTIONS) \
		TEST_JOBS=2 TEST_AGAIN=1 $(MAKE) BUILD=$(BUILD)/asan SANITIZE=address,undefined test

tsan_suppressions = suppressions=$(CURDIR)/build-aux/tsan.supp
tsan_options = ignore_noninstrumented_modules=1:$(tsan_suppressions)
check-tsan: ## the tests under ThreadSanitizer
	@TSAN_OPTIONS=$(tsan_options):$(TSAN_OPTIONS) \
		TEST_JOBS=2 TEST_AGAIN=1 $(MAKE) BUILD=$(BUILD)/tsan SANITIZE=thread test

check-valgrind: all tests ## the unit tests, broker, client and worker under valgrind
	@build-aux/install-packages.sh build lint
	@BUSBAR_BUILD=$(abspath $(BUILD)) BUSBAR_VALGRIND=1 TEST_TIMEOUT=$${TEST_TIMEOUT:-600} \
		tests/run-tests.sh $(UNIT_TESTS) $(wildcard tests/valgrind/test_*.sh)

# A demonstration, measurements ------------------------------------------------------------------

.PHONY: demo
demo: all examples ## one client, its object here or elsewhere; a worker killed while calls go on
	@BUSBAR_BUILD=$(abspath $(BUILD)) build-aux/demo.sh

.PHONY: soak
soak: all $(BENCHES) $(SOAKS) $(FAULT_TESTS) $(SIMULATION) ## the promised bounds, and a long run with faults
	@BUSBAR_BUILD=$(abspath $(BUILD)) tests/soak/run.sh

# Form -------------------------------------------------------------------------------------------

C_FILES = $(filter-out $(LOAD_MISSING),$(sort $(wildcard $(addsuffix /*.[ch],$(ROOMS) \
	$(addsuffix /include/busbar,$(ROOMS)) examples examples/* bench bench/guard \
	$(addprefix tests/,unit integration kit programs fuzz sanitizers soak simulation faults)))))

.PHONY: lint
lint: ## clang-format, clang-tidy and cppcheck, all without a complaint
	@build-aux/install-packages.sh build lint
	@BUILD='$(BUILD)' CPPFLAGS=$(call quote,$(BUSBAR_CPPFLAGS)) build-aux/lint.sh $(C_FILES)

.PHONY: format
format: ## lays out all sources by .clang-format
	@build-aux/install-packages.sh lint
	clang-format -i $(C_FILES)

# Installation -----------------------------------------------------------------------------------

install_variables = BUILD='$(BUILD)' DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' VERSION=$(VERSION) \
	SOVERSION=$(SOVERSION) LIBS='$(strip $(LIBRARY_LIBS))'

.PHONY: install
install: all ## into $(DESTDIR)$(PREFIX)
	@$(install_variables) build-aux/install.sh install

.PHONY: uninstall
uninstall: ## takes away what install put there
	@$(install_variables) build-aux/install.sh uninstall

.PHONY: clean
clean: ## removes $(BUILD)
	rm -rf $(BUILD)

-include $(shell test -d $(BUILD)/obj && find $(BUILD)/obj -name '*.d')
