#!/usr/bin/env bats
# Workers that are killed under load: a short run of t/real/torture.

load helpers

@test "no acknowledged mail is lost or partial when workers are killed under load" {
	SMTPD=$smtpd TMPDIR=$PWD timeout 120 "$BATS_TEST_DIRNAME/torture" 8 >report || {
		cat report
		return 1
	}
	cat report
	grep -Eq '^acknowledged [0-9]+, lost 0, duplicated [0-9]+, partial 0, kills [0-9]+$' report
}
