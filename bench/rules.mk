# The side-by-side benchmark: a driver, with a file for each system whose library is here.

# file (bench/load_FILE.c): its module of pkg-config.
LOAD_MODULE_gearman := gearmand
LOAD_MODULE_nats := libnats
LOAD_MODULE_rabbitmq := librabbitmq
LOAD_MODULE_redis := hiredis
LOAD_PEERS := gearman nats rabbitmq redis
LOAD_FOUND := $(strip $(foreach peer,$(LOAD_PEERS),$(if $(shell pkg-config --exists \
	$(LOAD_MODULE_$(peer)) 2>/dev/null && echo yes),$(peer))))
LOAD_MISSING := $(patsubst %,bench/load_%.c,$(filter-out $(LOAD_FOUND),$(LOAD_PEERS)))
LOAD_LIBS = $(if $(LOAD_FOUND),$(shell pkg-config --libs $(foreach peer,$(LOAD_FOUND),\
	$(LOAD_MODULE_$(peer)))))

LOAD := $(BUILD)/bench/load
LOAD_SOURCES := $(filter-out $(LOAD_MISSING) bench/function.c,$(wildcard bench/*.c))

BENCHES := $(LOAD) $(FUNCTION_BENCH)
tests: $(LOAD)

$(LOAD): $(call objects,$(LOAD_SOURCES)) $(PUBLIC_ARCHIVES)
	@mkdir -p $(@D)
	$(call SAY,LINK,$@)
	$(QUIET)$(call link,$(LIBRARY_LIBS) $(LOAD_LIBS))

.PHONY: bench bench-quick
bench: all ## side by side with ZeroMQ's proxy, NATS, Gearman, RabbitMQ, Redis: most of an hour
	@build-aux/install-packages.sh --each bench
	@$(MAKE) $(BENCHES)
	@BUSBAR_BUILD=$(abspath $(BUILD)) bench/run.sh

bench-quick: all $(BENCHES) ## Busbar and ZeroMQ's proxy alone: a minute
	@BUSBAR_BUILD=$(abspath $(BUILD)) bench/run.sh quick

# The regression guard: programs that each run some paths through the code, for callgrind to count.
GUARDS := $(patsubst %,$(BUILD)/bench/guard/%,codec router broker client worker)

$(GUARDS): $(BUILD)/%: $(BUILD)/obj/%.o $(call objects,bench/guard/main.c) \
		$$(call room_archives,$$(call rooms_of,$$*.c))
	@mkdir -p $(@D)
	$(call SAY,LINK,$@)
	$(QUIET)$(call link,$(LIBRARY_LIBS))

.PHONY: bench-guard
bench-guard: $(if $(SANITIZE),,$(GUARDS)) ## instructions per call beside the committed figures; UPDATE=1 writes those
	@BUSBAR_BUILD=$(abspath $(BUILD)) CC='$(CC)' SANITIZE=$(SANITIZE) UPDATE=$(UPDATE) \
		FLAGS=$(call quote,$(strip $(CFLAGS) $(CPPFLAGS))) bench/guard/run.sh
