# Faults on real processes: each program is one scenario, here in its short form; tests/soak/run.sh
# runs the long ones.
FAULT_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/faults/test_*.c))
FAULT_KIT := $(filter-out tests/faults/test_%,$(wildcard tests/faults/*.c)) $(SOAK_KIT)

$(FAULT_TESTS): $(BUILD)/%: $(BUILD)/obj/%.o $(call objects,$(FAULT_KIT)) $(PUBLIC_ARCHIVES)
	@mkdir -p $(@D)
	$(call SAY,LINK,$@)
	$(QUIET)$(call link,$(LIBRARY_LIBS))
