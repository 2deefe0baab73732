#!/usr/bin/env bats
# Processes are killed under load: the short form of t/real/torture, which
# accounts for numbered mails.

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

@test "no acknowledged mail is lost or truncated when workers are killed under load" {
	tortured workers
}

@test "no acknowledged mail is lost when launchers and their commands are killed under load" {
	tortured launchers
}

@test "no acknowledged mail is lost when the master is killed with them, again and again" {
	tortured groups
}

@test "no acknowledged mail is lost when the master is killed and another takes the port" {
	tortured masters
}

@test "many SIGHUPs lose no mail and cut no connection" {
	tortured hup
}

@test "many SIGTERMs lose no mail, and each server exits in good order" {
	tortured term
}

@test "a disk without space or inodes stores no partial mail, and accepts mail again later" {
	tortured disk
}

@test "reused pids cause no mistake" {
	tortured pids
}
