# The router against a reference model, and against that model with faults put into the router.

SIMULATION := $(BUILD)/tests/simulation/simulation
SIMULATION_OBJECTS := $(call objects,$(wildcard tests/simulation/*.c))
SIMULATION_ARCHIVES := $(call room_archives,broker)

$(SIMULATION): $(SIMULATION_OBJECTS) $(SIMULATION_ARCHIVES)
	@mkdir -p $(@D)
	$(call SAY,LINK,$@)
	$(QUIET)$(call link,$(TEST_LIBS))

.PHONY: simulation
simulation: $(SIMULATION) ## random events against the router alone; BUSBAR_SEED=n BUSBAR_EVENTS=n
	$<

.PHONY: test-mutants
test-mutants: $(SIMULATION) ## puts small faults into the router, one at a time: each must be caught
	@SIMULATION='$(SIMULATION)' OBJECTS='$(SIMULATION_OBJECTS)' \
		ARCHIVES='$(SIMULATION_ARCHIVES)' BUILD='$(BUILD)' \
		CC=$(call quote,$(CC) $(BUSBAR_CPPFLAGS) $(BUSBAR_CFLAGS)) \
		LIBS=$(call quote,$(BUSBAR_LDFLAGS) $(TEST_LIBS)) tests/mutants/run.sh
