#!/usr/bin/env bats
# Blows under load: the short form of t/real/torture, which counts what became
# of numbered mails.

load helpers

# tortured SCENARIO: no mail was lost, none is partial, and nothing else is wrong
tortured() {
	SMTPD=$smtpd TMPDIR=$PWD timeout -s KILL 600 \
		"$BATS_TEST_DIRNAME/torture" short "$1" >report || {
		cat report
		return 1
	}
	cat report
	grep -Eq "^$1: .* acknowledged, lost 0, partial 0, torn 0;" report
}

@test "no acknowledged mail is lost or partial when workers are killed under load" {
	tortured workers
}

@test "none is when launchers are killed under load, with the commands that they run" {
	tortured launchers
}

@test "none is when the master is killed with them, again and again" {
	tortured groups
}

@test "none is when the master alone is killed, and another takes the port" {
	tortured masters
}

@test "a storm of SIGHUP loses no mail and cuts no connection" {
	tortured hup
}

@test "a storm of SIGTERM loses no mail, and each server ends in good order" {
	tortured term
}

@test "a disk without space or inodes stores no partial mail, and accepts mail when it has some again" {
	tortured disk
}

@test "pids that are used again and again mix up nothing" {
	tortured pids
}
