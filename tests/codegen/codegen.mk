# make codegen: the barriers in what cross compilers made of the sequences. Included by the Makefile.

.PHONY: codegen
codegen: ## the barriers in the machine code for aarch64, ppc64le, riscv64, x86-64
	@.ci/deps install codegen
	@tests/codegen/run.sh $(B)/codegen
