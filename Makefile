# The commands a user and a developer need. The work is done by `cargo xtask`, in bins/xtask.

.DEFAULT_GOAL := help
SHELL := /bin/bash
XTASK := cargo xtask

.PHONY: help up down build image metal pins test machines bench fuzz tools

help: ## list these commands
	@echo "make COMMAND"; echo
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

up: tools ## build everything, start a local cluster, show its nodes; PROVISIONER=qemu: virtual machines, WORKERS=N, MERGE=yes: add it to your own kubeconfig
	@$(XTASK) up $(if $(PROVISIONER),--provisioner $(PROVISIONER)) $(if $(WORKERS),--workers $(WORKERS)) $(if $(MERGE),--merge)

down: ## remove the local cluster and everything that came with it
	@$(XTASK) down

build: tools ## build the programs, the components, the image cache and the root image into out/
	@$(XTASK) all

image: build ## make what virtual start from: kernel, initramfs, UKI, disk and ISO, into out/image
	@$(XTASK) machine cloud

metal: build ## the same for of every kind, with all drivers and free firmware, into out/image/metal
	@$(XTASK) machine metal

pins: ## take the versions of Debian packages that the archive offers now, and show what changed
	@$(XTASK) pin

test: tools ## run every test
	@$(XTASK) test

machines: image ## start a virtual machine from nothing, use it, hurt it; emulated, that takes a quarter of an hour
	@cargo test --locked --package xtask --test machine

bench: tools ## run every benchmark and write the table into out/bench.md
	@$(XTASK) bench

fuzz: tools ## run each fuzz target for a minute
	@$(XTASK) fuzz

# Rust links with the C compiler, so it is the one thing that xtask cannot install itself.
tools:
	@command -v cc >/dev/null || { echo "installing gcc and libc6-dev: Rust links programs with them"; \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy gcc libc6-dev; }
	@command -v cargo >/dev/null || { echo "cargo is not installed; get it with rustup, https://rustup.rs"; exit 1; }
	@$(XTASK) tools
