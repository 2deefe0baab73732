# The benchmark runner: each peer starts, accepts mail and stores it, and the
# table has its figures.  No test judges how fast that is.

load helpers

compare() {
	timeout 600 "$root/t/bench/compare" -r 1 -d 25 "$@" >table 2>said
	cat said table
}

@test "t/bench/compare prints a figure for each peer, and the peers store what they accept" {
	local peer
	TMPDIR=$PWD compare durable ten-hardlinked sessions
	for peer in smtpd mailfront postfix_hold aiosmtpd_mailbox opensmtpd exim \
		files smtpd_hardlink postfix_users smtp_sink; do
		grep -Eq "^\| [a-z-]+ +\| $peer +\| +[0-9.]+ " table
	done
	[[ ! -s said ]] || ! grep -Ev '^[a-z-]+\.+$' said
}

@test "t/bench/compare reports a peer that is not installed" {
	cp -R "$root/t" t
	rm -rf t/real/cache
	SMTPD=$smtpd timeout 600 t/bench/compare -r 1 sessions >table 2>said
	grep -E '^\| sessions +\| mailfront +\| not here: mailfront ' table
	grep -E '^\| sessions +\| smtpd +\| +[0-9.]+ ' table
}
