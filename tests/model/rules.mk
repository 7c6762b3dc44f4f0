# The protocol of calls, as a model for Spin.

.PHONY: model
model: ## the protocol of calls checked by Spin, and with faults, each of which it must find
	@build-aux/install-packages.sh build model
	@tests/model/run.sh
