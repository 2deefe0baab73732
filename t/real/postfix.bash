# A Postfix of each test's own, with its configuration, queue and log in the
# test's directory, no port, and the smtpd at $port as its relayhost.
# shellcheck shell=bash disable=SC2154 # helpers set port

# postfix_daemons: what each Postfix has in its master.cf, those of
# t/bench/compare too.
postfix_daemons() {
	local service
	echo 'postlog unix-dgram n - n - 1 postlogd'
	echo 'cleanup unix n - n - 0 cleanup'
	echo 'qmgr unix n - n 300 1 qmgr'
	echo 'tlsmgr unix - - n 1000? 1 tlsmgr'
	echo 'rewrite unix - - n - - trivial-rewrite'
	for service in bounce defer trace; do
		echo "$service unix - - n - 0 bounce"
	done
	for service in verify proxymap scache anvil; do
		echo "$service unix - - n - 1 $service"
	done
	for service in error retry; do
		echo "$service unix - - n - - error"
	done
}

# postfix_settings: what each Postfix in ./postfix has in its main.cf
postfix_settings() {
	cat <<-EOT
		compatibility_level = 3.6
		myhostname = mta.example
		queue_directory = $postfix/queue
		data_directory = $postfix/data
		maillog_file = $postfix/log
		maillog_file_prefixes = $postfix
		inet_interfaces = loopback-only
		inet_protocols = ipv4
		mydestination =
		alias_maps =
		alias_database =
	EOT
}

# start_postfix [SETTING...]
start_postfix() {
	local service
	postfix=$PWD/postfix
	mkdir -p "$postfix/etc" "$postfix/queue"
	cat >"$postfix/etc/main.cf" <<-EOT
		$(postfix_settings)
		relayhost = [127.0.0.1]:$port
		smtp_dns_support_level = disabled
		smtp_tls_security_level = none
	EOT
	printf '%s\n' "$@" >>"$postfix/etc/main.cf"
	{
		postfix_daemons
		echo 'pickup unix n - n 1 1 pickup'
		for service in flush showq; do
			echo "$service unix n - n - 0 $service"
		done
		echo 'smtp unix - - n - - smtp'
		echo 'relay unix - - n - - smtp'
		echo 'lmtp unix - - n - - lmtp'
		echo 'discard unix - - n - - discard'
	} >"$postfix/etc/master.cf"
	timeout 60 postfix -c "$postfix/etc" start 3>&- 4>&-
}

teardown() {
	local status=0
	if [[ ${postfix-} ]]; then
		timeout 60 postfix -c "$postfix/etc" stop ||
			timeout 60 postfix -c "$postfix/etc" abort || status=1
		tail -n 30 "$postfix/log"
	fi
	end || status=1
	return "$status"
}

# submit RECIPIENT...: a mail on stdin from alice@c.example.
submit() {
	timeout 60 sendmail -C "$postfix/etc" -i -f alice@c.example -- "$@"
}

queue_is_empty() {
	[[ $(postqueue -c "$postfix/etc" -p) == 'Mail queue is empty' ]]
}

logged() {
	grep -Eq "$1" "$postfix/log"
}
