# The servers that t/bench/compare measures, each with a private configuration
# and all that it writes in $run, which is fresh; it listens on 127.0.0.1:$port,
# and it is $server.  run_NAME starts it in the background, needs_NAME prints the
# file without which it can't, kept_NAME the number of messages it has kept.
# What keeps nothing has no kept_NAME.
# shellcheck shell=bash disable=SC2154 # t/bench/compare sets run, port, parts

run_in_background() {
	"$@" >>"$run/log" 2>&1 </dev/null &
	server=$!
}

files_in() {
	find "$@" -type f | wc -l
}

# smtpd as it is after installation: every check, every limit.
start_smtpd() {
	run_in_background "$smtpd" --user nobody --listen "127.0.0.1:$port" \
		--max-size 100M --maildir "$@"
}
run_smtpd() { start_smtpd "$run/Maildir"; }
needs_smtpd() { echo "$smtpd"; }
kept_smtpd() { files_in "$run/Maildir/new"; }

run_smtpd_users() {
	make_users
	start_smtpd "$run/{mailbox}" "$@"
}
needs_smtpd_users() { needs_smtpd; }
kept_smtpd_users() { files_in "$run"/b*/new; }
run_smtpd_hardlink() { run_smtpd_users --hardlink; }
needs_smtpd_hardlink() { needs_smtpd; }
kept_smtpd_hardlink() { kept_smtpd_users; }

run_smtpd_hook() { start_smtpd "$run/Maildir" --on-message /bin/true; }
needs_smtpd_hook() { needs_smtpd; }
kept_smtpd_hook() { kept_smtpd; }

# A milter that goes on at each step.
start_milter() {
	"$here/../milterd" "$run/milter" - >>"$run/log" 2>&1 </dev/null &
	await test -S "$run/milter"
	chmod 777 "$run/milter"
}
run_smtpd_milter() {
	start_milter
	start_smtpd "$run/Maildir" \
		--filter "$here/../../contrib/milter/smtpd-milter unix:$run/milter"
}
needs_smtpd_milter() { needs_smtpd; }
kept_smtpd_milter() { kept_smtpd; }
run_smtpd_milter_check() {
	start_milter
	start_smtpd "$run/Maildir" \
		--on-message "$here/../../contrib/milter/smtpd-milter unix:$run/milter"
}
needs_smtpd_milter_check() { needs_smtpd; }
kept_smtpd_milter_check() { kept_smtpd; }

make_users() {
	mkdir -p "$run"/b{0..9}/{tmp,new,cur}
	chown -R nobody "$run"/b?
}

# Postfix's sink takes everything and keeps nothing
run_smtp_sink() {
	run_in_background /usr/sbin/smtp-sink -u nobody "127.0.0.1:$port" 1024
}
needs_smtp_sink() { echo /usr/sbin/smtp-sink; }

# Go's go-smtp, with a backend of ours that keeps nothing
run_go_smtp() {
	[[ -e $parts/sink ]] || HOME=$run GOPATH=$gopath GO111MODULE=off \
		go build -o "$parts/sink" "$here/sink.go" >>"$run/log" 2>&1
	run_in_background "$parts/sink" "127.0.0.1:$port"
}
gopath=/usr/share/gocode
needs_go_smtp() {
	echo /usr/bin/go
	printf '%s\n' "$gopath"/src/github.com/emersion/go-{sasl,smtp}
}

# tcpserver runs mailfront once a connection; queuedir fsyncs as we do, the file
# and its directory.
run_mailfront() {
	mkdir -p "$run"/{tmp,new}
	chown nobody "$run"/{tmp,new}
	MODULE_PATH=$parts/mailfront QUEUEDIR=$run run_in_background \
		"$parts/tcpserver" -H -R -l 0 -c 256 -b 256 -u 65534 -g 65534 \
		127.0.0.1 "$port" "$parts/mailfront/mailfront" \
		smtp queuedir accept add-received
}
needs_mailfront() {
	echo "$cache/mailfront/usr/sbin/mailfront"
	echo "$cache/ucspi-tcp-ipv6/usr/bin/tcpserver"
}
kept_mailfront() { files_in "$run/new"; }

run_aiosmtpd() {
	run_in_background /usr/bin/python3 -m aiosmtpd -n \
		-l "127.0.0.1:$port" -c "aiosmtpd.handlers.${1:-Sink}" "${@:2}"
}
needs_aiosmtpd() { echo /usr/lib/python3/dist-packages/aiosmtpd; }
run_aiosmtpd_mailbox() { run_aiosmtpd Mailbox "$run/Maildir"; }
needs_aiosmtpd_mailbox() { needs_aiosmtpd; }
kept_aiosmtpd_mailbox() { files_in "$run/Maildir/new"; }

# run_postfix SETTING...: no lookups, no limits per client; in_flow_delay would
# slow down what comes in while nothing goes out
run_postfix() {
	mkdir -p "$run/etc" "$run/queue"
	printf '%s\n' 'compatibility_level = 3.6' 'myhostname = mx.example' \
		"queue_directory = $run/queue" "data_directory = $run/data" \
		"maillog_file = $run/maillog" "maillog_file_prefixes = $run" \
		'inet_interfaces = loopback-only' 'inet_protocols = ipv4' \
		'mydestination =' 'alias_maps =' 'alias_database =' \
		'smtpd_peername_lookup = no' 'in_flow_delay = 0' \
		'smtpd_client_connection_count_limit = 0' \
		'message_size_limit = 0' 'virtual_mailbox_limit = 0' "$@" >"$run/etc/main.cf"
	{
		echo "127.0.0.1:$port inet n - n - 256 smtpd"
		postfix_daemons
		echo 'virtual unix - n n - - virtual'
	} >"$run/etc/master.cf"
	postfix -c "$run/etc" check >>"$run/log" 2>&1
	run_in_background "$(postconf -hc "$run/etc" daemon_directory)/master" \
		-c "$run/etc" -d
}
needs_postfix() { echo /usr/sbin/postfix; }

# A message is durable once it is in the queue: all of them are held there.
run_postfix_hold() {
	run_postfix 'relay_domains = d.example' \
		'smtpd_data_restrictions = check_client_access static:HOLD'
}
needs_postfix_hold() { needs_postfix; }
kept_postfix_hold() { files_in "$run/queue/hold"; }

run_postfix_milter() {
	start_milter
	run_postfix 'relay_domains = d.example' "smtpd_milters = unix:$run/milter" \
		'smtpd_data_restrictions = check_client_access static:HOLD'
}
needs_postfix_milter() { needs_postfix; }
kept_postfix_milter() { kept_postfix_hold; }

# the queue, and from there into ten Maildirs
run_postfix_users() {
	local n boxes=
	make_users
	for n in {0..9}; do
		boxes+=" { b$n@d.example = b$n/ }"
	done
	run_postfix 'virtual_mailbox_domains = d.example' \
		"virtual_mailbox_base = $run" 'virtual_uid_maps = static:65534' \
		"virtual_mailbox_maps = inline:{$boxes }" \
		'virtual_gid_maps = static:65534'
}
needs_postfix_users() { needs_postfix; }
kept_postfix_users() { kept_smtpd_users; }

# Into the queue, from which nothing goes: transfers are paused.  Its paths and
# users are built in; here they are in this mount namespace only.
run_opensmtpd() {
	mkdir -p "$run"/{spool,lib/opensmtpd/empty,run}
	chmod 711 "$run"/{spool,run}
	{
		cat /etc/passwd
		echo "opensmtpd:x:64997:64997::$run/lib/opensmtpd/empty:/bin/false"
		echo 'opensmtpq:x:64998:64998::/:/bin/false'
	} >"$run/passwd"
	{
		cat /etc/group
		echo 'opensmtpd:x:64997:'
		echo 'opensmtpq:x:64998:'
	} >"$run/group"
	printf '%s\n' "listen on 127.0.0.1 port $port hostname mx.example" \
		'action "out" relay' 'match from any for any action "out"' \
		>"$run/smtpd.conf"
	# shellcheck disable=SC2016 # for that shell
	run_in_background unshare --mount bash -ec '
		mount -t overlay overlay -o "lowerdir=$1/usr:/usr" /usr
		mount --bind "$0/spool" /var/spool
		mount --bind "$0/lib" /var/lib
		mount --bind "$0/run" "$(readlink -f /var/run)"
		mount --bind "$0/passwd" /etc/passwd
		mount --bind "$0/group" /etc/group
		exec /usr/sbin/smtpd -d -P mta -f "$0/smtpd.conf"
	' "$run" "$cache/opensmtpd"
}
needs_opensmtpd() { echo "$cache/opensmtpd/usr/sbin/smtpd"; }
kept_opensmtpd() {
	find "$run/spool/smtpd/queue" -name message -type f | wc -l
}

run_exim() {
	mkdir -p "$run/spool"
	chown nobody:nogroup "$run/spool"
	{ cat /etc/passwd; echo 'Debian-exim:x:64999:64999::/:/bin/false'; } \
		>"$run/passwd"
	{ cat /etc/group; echo 'Debian-exim:x:64999:'; } >"$run/group"
	printf '%s\n' "exim_path = $parts/exim4" \
		'primary_hostname = mx.example' 'exim_user = nobody' \
		'exim_group = nogroup' "spool_directory = $run/spool" \
		"log_file_path = $run/spool/%s.log" 'keep_environment =' \
		"pid_file_path = $run/pid" 'disable_ipv6 = true' \
		'local_interfaces = 127.0.0.1' "daemon_smtp_ports = $port" \
		'host_lookup =' 'rfc1413_query_timeout = 0s' 'queue_only = true' \
		'smtp_accept_max = 256' 'smtp_connect_backlog = 256' \
		'tls_advertise_hosts =' 'acl_smtp_rcpt = accept' \
		>"$run/exim.conf"
	# shellcheck disable=SC2016 # for that shell
	run_in_background unshare --mount bash -ec '
		mount --bind "$0/passwd" /etc/passwd
		mount --bind "$0/group" /etc/group
		exec "$1" -bdf -C "$0/exim.conf"
	' "$run" "$parts/exim4"
}
needs_exim() { echo "$cache/exim4-daemon-light/usr/sbin/exim4"; }
kept_exim() { find "$run/spool/input" -name '*-H' | wc -l; }
