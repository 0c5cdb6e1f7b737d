# make codegen: checks the barriers in the machine code that cross compilers make of the sequences. Included by the Makefile.

.PHONY: codegen
codegen: ## check the barriers in the machine code for aarch64, ppc64le, riscv64, x86-64
	@.ci/deps install codegen
	@tests/codegen/run.sh $(B)/codegen
