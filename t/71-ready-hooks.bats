# The hooks of contrib/hooks beside programs that misbehave: what a client may
# have shaped is passed on as one clean line, and nothing is done by halves.
# With the real programs they are tested in t/real.

load helpers

# stub NAME: standard input becomes that program, in front of all others
stub() {
	mkdir -p "$tmp/bin"
	{
		echo '#!/bin/sh'
		cat
	} >"$tmp/bin/$1"
	chmod 755 "$tmp/bin/$1"
	environment=("PATH=$tmp/bin:$PATH" "TMPDIR=$tmp" "OF_TEST=$tmp"
	    TCPREMOTEIP=192.0.2.3)
}

# ready NAME: the path of a hook
ready() {
	printf '%s/contrib/hooks/%s\n' "$PWD" "$1"
}

@test "no hook uses echo, which makes a line break of a backslash and an n" {
	lacks -nE '^[^#]*\becho\b' contrib/hooks/*
}

@test "spf: of what spfquery prints one line becomes a field, without control characters" {
	stub spfquery <<-'EOT'
		printf 'softfail\nReceived-SPF: pass (by the explanation)\n'
		printf 'HEADER=X-Forged: yes\n'
		printf 'Received-SPF: softfail "x\\nHEADER=X-Forged: yes"\a\r\303\274;\n'
	EOT
	options=(--on-new-mail "$(ready spf)")
	deliver 'Subject: x' '' body
	[[ $(header Received-SPF) == 'softfail "x\nHEADER=X-Forged: yes";' ]]
	lacks -e '^X-Forged' -e '^HEADER' "$(message "$dir")"
}

@test "spf: the sender is on no command line, and its domain has A-labels" {
	stub spfquery <<-'EOT'
		tr '\0' ' ' </proc/$$/cmdline >"$OF_TEST/words"
		cat >>"$OF_TEST/asked"
		printf 'Received-SPF: none\n'
	EOT
	options=(--on-new-mail "$(ready spf)")
	say 'EHLO c.example' 'MAIL FROM:<bounce+a=b@Bücher.example> SMTPUTF8' RSET \
	    'MAIL FROM:<"a b; c"@c.example>' RSET 'MAIL FROM:<>' QUIT
	[[ $codes != *' '[45]* ]]
	printf '192.0.2.3 %s c.example\n' 'bounce+a=b@xn--bcher-kva.example' \
	    postmaster@c.example postmaster@c.example | cmp - "$tmp/asked"
	grep -q -e -file "$tmp/words"
	lacks -e '[^x]\.example' -e bounce "$tmp/words"
}

@test "recipients: a recipient is on no command line" {
	local real
	real=$(command -v grep)
	stub grep <<-EOT
		tr '\\0' ' ' </proc/\$\$/cmdline >>"\$OF_TEST/words"
		exec $real "\$@"
	EOT
	echo bob@mx.example >"$tmp/list"
	options=(--on-recipient "$(ready recipients) $tmp/list")
	say "${to_bob[@]}" 'RCPT TO:<eve@mx.example>' QUIT
	[[ $codes == "$to_bob_codes 550 221" ]]
	[[ -s $tmp/words ]]
	lacks -e mx.example -e bob "$tmp/words"
}

# In between, the first one's file is there, and empty.
@test "greylist: of two clients that come at once neither spoils the other's entry" {
	local hook run=(env TCPREMOTEIP=192.0.2.3 SENDER=a@c.example
	    RECIPIENT=b@mx.example) rc=0
	hook=$(ready greylist)
	mkdir "$tmp/list"
	"${run[@]}" "$hook" "$tmp/list" >"$tmp/said" || rc=$?
	((rc == 75))
	: >"$(echo "$tmp"/list/*)"
	rc=0
	"${run[@]}" "$hook" "$tmp/list" >"$tmp/said" || rc=$?
	((rc == 75))
	[[ $(<"$tmp/said") == '451 4.7.1 Greylisted, '* ]]
	[[ $(cat "$tmp"/list/*) =~ ^[0-9]+$ ]]
}

@test "greylist: twenty clients at once are all greylisted, and leave one entry" {
	local hook i
	hook=$(ready greylist)
	mkdir "$tmp/list" "$tmp/said"
	for ((i = 0; i < 20; i++)); do
		TCPREMOTEIP=192.0.2.3 SENDER=a@c.example RECIPIENT=b@mx.example \
		    "$hook" "$tmp/list" >"$tmp/said/$i" 3>&- &
	done
	wait
	(($(cat "$tmp"/said/* | grep -c '^451 4\.7\.1 Greylisted') == 20))
	(($(find "$tmp/list" -type f | wc -l) == 1))
}

@test "greylist: an entry that is damaged is made anew, and a directory that is gone defers" {
	local hook entry rc=0
	hook=$(ready greylist)
	export TCPREMOTEIP=192.0.2.3 SENDER=a@c.example RECIPIENT=b@mx.example
	mkdir "$tmp/list"
	"$hook" "$tmp/list" || true
	entry=$(echo "$tmp"/list/*)
	echo 'x[$(touch '"$tmp"'/x)]' >"$entry"
	"$hook" "$tmp/list" >"$tmp/said" || true
	[[ $(<"$tmp/said") == '451 4.7.1 Greylisted, '* ]]
	[[ $(<"$entry") =~ ^[0-9]+$ && ! -e $tmp/x ]]
	echo 1 >"$entry"
	"$hook" "$tmp/list"
	rm -r "$tmp/list"
	"$hook" "$tmp/list" >"$tmp/said" 2>/dev/null || rc=$?
	((rc == 75)) && [[ ! -s $tmp/said ]]
}

@test "greylist: who knows one entry can't make another of its name" {
	local hook names
	hook=$(ready greylist)
	export TCPREMOTEIP=192.0.2.3 SENDER=a@c.example
	mkdir "$tmp/list"
	RECIPIENT=b@mx.example "$hook" "$tmp/list" || true
	RECIPIENT=c@mx.example "$hook" "$tmp/list" || true
	names=$(ls "$tmp/list")
	(($(grep -cxE '[0-9a-f]{64}' <<<"$names") == 2))
}

# hand_over_half HOOK WORD...: a message whose reading ends by an error half way
hand_over_half() {
	stub cat <<-'EOT'
		head -n 1
		exit 1
	EOT
	printf 'Subject: x\n\nbody\n' >"$tmp/mail"
	env "${environment[@]}" SMTP_ID=1 SENDER=a@c.example \
	    SMTP_RECIPIENTS=b@mx.example "$@" <"$tmp/mail"
}

@test "nats, http: a message that can't be read to its end is not published" {
	local rc
	stub mosquitto_pub <<-'EOT'
		echo mosquitto_pub >>"$OF_TEST/published"
	EOT
	stub curl <<-'EOT'
		echo curl >>"$OF_TEST/published"
		echo 200
	EOT
	for hook in 'nats topic' 'http http://127.0.0.1'; do
		rc=0
		# shellcheck disable=SC2086 # words
		hand_over_half contrib/hooks/$hook || rc=$?
		((rc == 75))
	done
	[[ ! -e $tmp/published ]]
	# nor is a copy left
	[[ -z $(find "$tmp" -name 'tmp.*') ]]
	# and it is, where it can be read
	rm "$tmp/bin/cat"
	for hook in 'nats topic' 'http http://127.0.0.1'; do
		# shellcheck disable=SC2086 # words
		env "${environment[@]}" SMTP_ID=1 SMTP_RECIPIENTS=b@mx.example \
		    contrib/hooks/$hook <"$tmp/mail"
	done
	[[ $(<"$tmp/published") == $'mosquitto_pub\ncurl' ]]
}

# htpasswd computes no hash for a name that it does not find.
@test "auth-htpasswd: an unknown name costs one computed hash, as a known one does" {
	local name rc
	stub htpasswd <<-'EOT'
		echo "$*" >>"$OF_TEST/computed"
		read -r password
		[ "$password" = secret ] || exit 3
	EOT
	printf '%s\n' '# x:y' joe:x ann:y >"$tmp/passwords"
	for name in joe ann eve 0 'a b'; do
		for password in secret wrong; do
			rc=0
			printf '%s\0%s\0' "$name" "$password" >"$tmp/credentials"
			env "${environment[@]}" contrib/hooks/auth-htpasswd \
			    "$tmp/passwords" true 3<"$tmp/credentials" || rc=$?
			case $name/$password in
			joe/secret | ann/secret) ((rc == 0)) ;;
			*) ((rc == 1)) ;;
			esac
		done
	done
	printf -- "-vi $tmp/passwords %s\n" joe joe ann ann joe joe joe joe joe joe |
	    cmp - "$tmp/computed"
}
