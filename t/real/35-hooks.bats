#!/usr/bin/env bats
# The hooks of contrib/hooks that check mail, with the programs that they ask,
# working and broken.

# shellcheck disable=SC2154 # helpers set hooks, spool, port
load helpers

setup() {
	chmod 711 "$BATS_RUN_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return
	prepare_hooks
}

@test "grep as a hook: a recipient is valid if the file has it, even with a leading dash" {
	printf '%s\n' b@d.example -f@d.example >addresses
	hook="grep -qxFe \"\$RECIPIENT\" $PWD/addresses"
	ask --on-recipient "$hook"
	taken
	to=-f@d.example ask --on-recipient "$hook"
	taken
	to=c@d.example ask --on-recipient "$hook"
	refused '550 5\.1\.1 '
	rm addresses
	ask --on-recipient "$hook"
	refused '451 4\.3\.0 '
}

@test "recipients: addresses, with any extension, in any case, and whole domains" {
	printf '%s\n' B@d.example -f@d.example @e.example '"x y"@d.example' \
		>addresses
	for to in b@d.example b+ext@D.example -f@d.example any@e.example \
	    '"x y"@d.example'; do
		ask --domain e.example --on-recipient "$hooks/recipients $PWD/addresses"
		taken
	done
	# shellcheck disable=SC2016 # it is to stand there
	for to in xb@d.example b@d.example.e.example .@d.example \
	    '"$(touch x)"@d.example' '`id`@d.example' --help@d.example; do
		ask --domain '*' --on-recipient "$hooks/recipients $PWD/addresses"
		refused '550 5\.1\.1 '
	done
	[[ ! -e x ]]
	to=b@d.example ask --on-recipient "$hooks/recipients $PWD/none"
	refused '451 4\.3\.0 '
}

@test "aliases: mail goes to the mailbox that the file names" {
	printf '%s\n' '# comment' 'info@d.example anna@d.example' \
		'Info+big@d.example bert@d.example' '@e.example carl@d.example' \
		>aliases
	make_maildirs anna bert carl b
	expected=(anna 'info@d.example' bert 'info+big@d.example' carl
	    'any@e.example' b 'b@d.example')
	for ((i = 0; i < ${#expected[@]}; i += 2)); do
		to=${expected[i + 1]} ask --domain e.example --deliver true \
			--maildir "$PWD/{mailbox}" \
			--on-recipient "$hooks/aliases $PWD/aliases"
		says '250 2\.0\.0 '
		mail "${expected[i]}"
	done
	rm aliases
	ask --on-recipient "$hooks/aliases $PWD/aliases"
	refused '451 4\.3\.0 '
}

@test "dnsbl: a listed client is rejected, and a broken list defers" {
	cat >zone <<-'EOT'
		4.2.0.192.bl.example. A 127.0.0.2
		5.2.0.192.bl.example. A 127.255.255.254
		6.2.0.192.bl.example. TXT only
		5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.4.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.example. A 127.0.0.3
	EOT
	serve_dns
	for client in 192.0.2.3 192.0.2.6 2001:db8:0:4::6 2001:db8:0:4::; do
		ask --on-new-connection "$hooks/dnsbl no.example bl.example"
		taken
	done
	for client in 192.0.2.4 2001:db8:0:4::5 2001:db8:0:4:0:0:0:5; do
		ask --on-new-connection "$hooks/dnsbl no.example bl.example"
		refused '554 5\.7\.1 .* is listed by bl\.example'
	done
	client=192.0.2.5
	ask --on-new-connection "$hooks/dnsbl bl.example"
	refused '4[25]1 4\.3\.0 '
	grep -q 'hook-said.* text="bl\.example answers 127\.255\.255\.254"' log
	ask --on-new-connection "$hooks/dnsbl bl.broken"
	refused '4[25]1 4\.3\.0 '
	grep -q 'hook-said.* text="bl\.broken gives no answer: [^"]' log
	ask --on-new-connection "$hooks/optional $hooks/dnsbl bl.broken"
	taken
}

@test "spf: fail is rejected, other results are recorded, a DNS failure defers" {
	cat >zone <<-'EOT'
		c.example. TXT "v=spf1 ip4:192.0.2.3 -all"
		soft.example. TXT "v=spf1 ~all"
		bad.example. TXT "v=spf1 foo:bar -all"
		loop.example. TXT "v=spf1 include:x.broken -all"
	EOT
	serve_dns
	ask --on-new-mail "$hooks/spf"
	taken
	grep '^Received-SPF: pass .*192\.0\.2\.3' spool/kept
	from='' ask --on-new-mail "$hooks/spf"
	taken
	grep '^Received-SPF: pass ' spool/kept
	from=x@soft.example ask --on-new-mail "$hooks/spf"
	taken
	grep '^Received-SPF: softfail ' spool/kept
	from=x@none.example ask --on-new-mail "$hooks/spf"
	taken
	grep '^Received-SPF: none ' spool/kept
	from=x@bad.example ask --on-new-mail "$hooks/spf"
	taken
	grep '^Received-SPF: permerror ' spool/kept
	for from in x@loop.example x@x.broken; do
		ask --on-new-mail "$hooks/spf"
		refused '451 4\.3\.0 '
	done
	client=192.0.2.4
	# shellcheck disable=SC2016 # it is to stand there
	for from in a@c.example '"-local +all"@c.example' '"$(touch x)"@c.example' \
	    -help@c.example; do
		ask --on-new-mail "$hooks/spf"
		refused '550 5\.7\.23 '
	done
	[[ ! -e x ]]
}

@test "dkim: the result for a signature is in Authentication-Results" {
	openssl genrsa -out key.pem 2048
	public=$(openssl rsa -in key.pem -pubout -outform DER | base64 -w 0)
	echo "s._domainkey.c.example. TXT \"v=DKIM1; p=${public:0:200}\"" \
		"\"${public:200}\"" >zone
	serve_dns
	ask --on-message "$hooks/dkim"
	taken
	grep -x 'Authentication-Results: mx.example; dkim=none' spool/kept
	dkimsign s c.example key.pem <mail >signed
	mv signed mail
	ask --on-message "$hooks/dkim"
	taken
	grep -x 'Authentication-Results: mx.example; dkim=pass header.d=c.example' \
		spool/kept
	cp mail good
	sed 's/^Hello/Hullo/' good >mail
	ask --on-message "$hooks/dkim"
	taken
	grep 'dkim=fail header.d=c.example' spool/kept
	sed '/^DKIM/s/a=rsa-sha256/a=none/; s/d=c\.example/d=$(id) x/' good >mail
	ask --on-message "$hooks/dkim"
	taken
	grep -x 'Authentication-Results: mx.example; dkim=permerror' spool/kept
	mv good mail
	mkdir bin
	printf '#!/bin/sh\necho no such module >&2\nexit 1\n' >bin/dkimverify
	chmod 755 bin/dkimverify
	PATH=$PWD/bin:$PATH ask --on-message "$hooks/dkim"
	refused '451 4\.3\.0 '
}

@test "spf, dkim, dnsbl: a name server that does not answer delays a worker for 5 seconds" {
	openssl genrsa -out key.pem 2048
	dkimsign s c.silent key.pem <mail >signed
	mv signed mail
	: >zone
	serve_dns
	from=a@c.silent ask --hook-timeout 9s --on-new-mail "$hooks/spf"
	refused '451 4\.3\.0 '
	grep 'hook-said.* text="no answer from DNS within 5 seconds"' log
	ask --hook-timeout 9s --on-new-connection "$hooks/dnsbl bl.silent"
	refused '4[25]1 4\.3\.0 '
	grep 'hook-said.* text="bl\.silent gives no answer' log
	ask --hook-timeout 9s --on-message "$hooks/dkim"
	taken
	grep -x 'Authentication-Results: mx.example; dkim=temperror header.d=c.silent' \
		spool/kept
}

@test "dkim: the only domain reported is the one whose key was used" {
	openssl genrsa -out key.pem 2048
	public=$(openssl rsa -in key.pem -pubout -outform DER | base64 -w 0)
	echo "s._domainkey.good.example/.evil.example. TXT" \
		"\"v=DKIM1; p=${public:0:200}\" \"${public:200}\"" >zone
	serve_dns
	dkimsign s good.example/.evil.example key.pem <mail >signed
	mv signed mail
	ask --on-message "$hooks/dkim"
	taken
	grep '^Authentication-Results:' spool/kept
	fails_torn "$hooks/dkim"
	! grep -e 'dkim=pass' -e 'header\.d=good\.example$' spool/kept || false
	grep -x 'Authentication-Results: mx.example; dkim=permerror' spool/kept
}

@test "input from the client adds no field and runs nothing: spf, dkim, dnsbl, greylist, recipients, aliases" {
	mkdir list
	chown nobody list
	echo 'b@d.example b@d.example' >addresses
	echo 'c.example. TXT "v=spf1 ~all"' >zone
	serve_dns
	withstands --on-new-mail "$hooks/spf"
	grep '^Received-SPF: softfail ' spool/kept
	withstands --on-message "$hooks/dkim"
	withstands --on-new-connection "$hooks/dnsbl bl.example"
	withstands --on-recipient "$hooks/greylist $PWD/list"
	withstands --on-recipient "$hooks/greylist $PWD/list 0"
	withstands --on-recipient "$hooks/recipients $PWD/addresses"
	withstands --on-recipient "$hooks/aliases $PWD/addresses"
	withstands --on-recipient "$hooks/optional $hooks/recipients $PWD/addresses"
}

@test "optional: a rejection counts, a failure is ignored" {
	judges=(
		'exit 1' 550 'exit 100' 550 'echo 552 5.2.2 full' 552
		'echo 450 later; exit 75' 450 'echo 5.7.9 no; exit 3' 5..
		'exit 0' 250 'exit 99' 250 'exit 75' 250 'exit 127' 250
		'kill -9 $$' 250 'echo oops >&2; exit 1' 250 'sleep 9' 250
		'echo 502 Bad Gateway' 250 'echo 550 no; exit 126' 250
	)
	for ((i = 0; i < ${#judges[@]}; i += 2)); do
		printf '#!/bin/sh\n%s\n' "${judges[i]}" >judge
		chmod 755 judge
		ask --on-recipient "$hooks/optional timeout 1 $PWD/judge"
		if [[ ${judges[i + 1]} == 250 ]]; then
			taken
		else
			refused "${judges[i + 1]} "
		fi
	done
	ask --on-recipient "$hooks/optional $PWD/none"
	taken
	printf '#!/bin/sh\necho HEADER=X-Judge: yes\n' >judge
	ask --on-recipient "$hooks/optional $PWD/judge"
	taken
	grep -x 'X-Judge: yes' spool/kept
}

@test "greylist: a new client must retry later from the same network" {
	mkdir list
	chown nobody list
	hook="$hooks/greylist $PWD/list 300"
	ask --on-recipient "$hook"
	refused '451 4\.7\.1 Greylisted, come again in [0-9]+ seconds'
	[[ $(count list) == 1 ]]
	ask --on-recipient "$hook"
	refused '451 4\.7\.1 Greylisted'
	for file in list/*; do
		echo $(($(<"$file") - 300)) >"$file"
	done
	client=192.0.2.99 ask --on-recipient "$hook"
	taken
	from='"() { :;}; x"@c.example' ask --on-recipient "$hook"
	refused '451 4\.7\.1 Greylisted'
	[[ $(count list) == 2 ]]
	rm -r list
	ask --on-recipient "$hook"
	refused '451 4\.3\.0 '
}

@test "spamassassin: spamd marks mail in a filter and rejects it in a check" {
	mkdir rules
	cat >rules/local.cf <<-'EOT'
		required_score 5
		report_safe 0
		body BUY /buy spam/
		score BUY 20
		score ALL_TRUSTED 0
		use_bayes 0
		add_header spam Flag _YESNOCAPS_
	EOT
	for file in init v320; do
		cp "/etc/spamassassin/$file.pre" rules/
	done
	spamd --socketpath="$PWD/spamd" --socketmode=666 --local --max-children=1 \
		--min-children=1 --nouser-config --helper-home-dir="$PWD" \
		--username=nobody --syslog=stderr \
		--configpath="$PWD/rules" --siteconfigpath="$PWD/rules" \
		</dev/null 2>spamd.log 3>&- 4>&- &
	servers+=($!)
	await 60 logged 'server started' spamd.log
	ask --filter "$hooks/spamassassin -U $PWD/spamd"
	taken
	grep '^X-Spam-Checker-Version: ' spool/kept
	ask --on-message "$hooks/spamassassin -U $PWD/spamd"
	taken
	grep '^X-Spam-Score: .*/5.0$' spool/kept
	SMTP_EVENT=filter fails_torn "$hooks/spamassassin" -U "$PWD/spamd"
	SMTP_EVENT=on-message fails_torn "$hooks/spamassassin" -U "$PWD/spamd"
	withstands --on-message "$hooks/spamassassin -U $PWD/spamd"
	withstands --filter "$hooks/spamassassin -U $PWD/spamd"
	echo 'buy spam' >>mail
	ask --filter "spamc -x -U $PWD/spamd"
	taken
	grep '^X-Spam-Flag: YES$' spool/kept
	ask --filter "$hooks/spamassassin -U $PWD/spamd"
	taken
	grep '^X-Spam-Flag: YES$' spool/kept
	ask --on-message "$hooks/spamassassin -U $PWD/spamd"
	refused '554 5\.7\.1 This looks like spam \(.*/5\.0\)$'
	for event in --filter --on-message; do
		ask "$event" "$hooks/spamassassin -U $PWD/none"
		refused '451 4\.3\.0 '
	done
}

@test "clamav: clamd finds a virus by a local signature, in base64 too" {
	mkdir database
	printf 'Test.Worm:0:*:%s\n' "$(printf WORMWORM | od -An -tx1 | tr -d ' \n')" \
		>database/local.ndb
	cat >clamd.conf <<-EOT
		Foreground yes
		LocalSocket $PWD/clamd
		LocalSocketMode 666
		DatabaseDirectory $PWD/database
		LogFile $PWD/clamd.log
		TemporaryDirectory $PWD
	EOT
	clamd --config-file=clamd.conf </dev/null >/dev/null 2>&1 3>&- 4>&- &
	others+=($!)
	await 60 test -S clamd
	hook="$hooks/clamav --config-file=$PWD/clamd.conf"
	ask --on-message "$hook"
	taken
	ask --on-message "clamdscan --no-summary --config-file=$PWD/clamd.conf -"
	taken
	# by itself it gives clamd the descriptor, and clamd asks for its size
	# shellcheck disable=SC2086 # words
	fails_torn $hook --stream
	withstands --on-message "$hook"
	{
		printf 'From: <a@c.example>\nMIME-Version: 1.0\n'
		printf 'Content-Type: application/octet-stream\n'
		printf 'Content-Transfer-Encoding: base64\n\n'
		printf 'Here is a WORMWORM for you' | base64
	} >mail
	ask --on-message "$hook"
	refused '554 5\.7\.1 It holds Test\.Worm'
	ask --on-message "clamdscan --no-summary --config-file=$PWD/clamd.conf -"
	refused '554 5\.7\.1 '
	kill "${others[-1]}"
	gone "${others[-1]}" 60
	ask --on-message "$hook"
	refused '451 4\.3\.0 '
	grep -q 'hook-said.* text=".*[Cc]onnect' log
	! grep 'hook-said.* text=""' log || false
}

# run_rspamd [LINE...]: at the socket ./rspamd, with these lines of configuration
run_rspamd() {
	cat >rspamd.conf <<-EOT
		options {
			pidfile = "$PWD/pid";
			tempdir = "$PWD";
			url_tld = "$PWD/tld";
			dns { nameserver = ["127.0.0.1:1"]; }
		}
		logging { type = "console"; level = "warning"; }
		worker "normal" { bind_socket = "$PWD/rspamd mode=0666"; count = 1; }
		actions { reject = 15; add_header = 6; greylist = 4; }
	EOT
	printf '%s\n' "$@" >>rspamd.conf
	echo com >tld
	rspamd -f --insecure -c "$PWD/rspamd.conf" </dev/null >rspamd.log 2>&1 \
		3>&- 4>&- &
	servers+=($!)
	await 60 test -S rspamd
}

@test "rspamd: its action rejects, defers or adds a header field" {
	cat >rules.lua <<-'EOT'
		for word, score in pairs({spam = 20, perhaps = 7, later = 5}) do
			rspamd_config['WORD_' .. word:upper()] = {
				callback = function(task)
					return tostring(task:get_content()):find(word) ~= nil
				end,
				score = score
			}
		end
		rspamd_config.WRONG_ENVELOPE = {
			callback = function(task)
				local from = task:get_from('smtp')[1].addr
				local to = task:get_recipients('smtp')[1].addr
				local ip = task:get_ip():to_string()
				return from ~= 'a@c.example' or to ~= 'b@d.example'
				    or ip ~= '192.0.2.3' or task:get_helo() ~= 'c.example'
			end,
			score = 100
		}
	EOT
	run_rspamd 'options { filters = "regexp"; }' "lua = \"$PWD/rules.lua\";"
	hook="$hooks/rspamd -h $PWD/rspamd"
	ask --on-message "$hook"
	taken
	echo perhaps >>mail
	ask --on-message "$hook"
	taken
	grep -x 'X-Spam: yes' spool/kept
	sed -i s/perhaps/later/ mail
	ask --on-message "$hook"
	refused '451 4\.7\.1 Come again'
	# shellcheck disable=SC2086 # words
	fails_torn $hook
	withstands --on-message "$hook"
	sed -i s/later/spam/ mail
	ask --on-message "$hook"
	refused '554 5\.7\.1 '
	ask --on-message "$hooks/rspamd -h $PWD/none"
	refused '451 4\.3\.0 '
}

# gtube: ./mail is the one that all spam filters know
gtube() {
	printf '%s\n' 'From: <a@c.example>' 'Subject: gtube' '' \
		'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X' >mail
	make_maildirs Maildir
}

# filed FIELD HOOK...: with it spam is in Junk, with this field, and good mail is not
filed() {
	ask --maildir Maildir --deliver true --on-message "${*:2}"
	says '250 2\.0\.0 '
	kept 0
	grep -q "^$1" "$(mail Maildir/.Junk)"
	sed -i /XJS/d mail
	ask --maildir Maildir --deliver true --on-message "${*:2}"
	says '250 2\.0\.0 '
	! grep "^$1" "$(mail)" || return
	kept 1 Maildir/.Junk
}

@test "spamassassin: GTUBE is filed into Junk" {
	mkdir rules
	printf '%s\n' 'use_bayes 0' 'score ALL_TRUSTED 0' >rules/local.cf
	grep -h -w GTUBE /usr/share/spamassassin/{20_body_tests,50_scores}.cf >rules/gtube.cf
	cp /etc/spamassassin/{init,v320}.pre rules/
	spamd --socketpath="$PWD/spamd" --socketmode=666 --local --max-children=1 \
		--min-children=1 --nouser-config --helper-home-dir="$PWD" \
		--username=nobody --syslog=stderr \
		--configpath="$PWD/rules" --siteconfigpath="$PWD/rules" \
		</dev/null 2>spamd.log 3>&- 4>&- &
	servers+=($!)
	await 60 logged 'server started' spamd.log
	gtube
	filed 'X-Spam-Flag: YES$' "$hooks/spamassassin --folder Junk -U $PWD/spamd"
}

@test "rspamd: GTUBE is filed into Junk" {
	run_rspamd
	gtube
	filed 'X-Spam: yes$' "$hooks/rspamd --folder Junk -h $PWD/rspamd"
}

@test "formail as a filter adds a field, and the rest is unchanged" {
	ask --filter "formail -A 'X-Filtered: yes'"
	taken
	grep -x 'X-Filtered: yes' spool/kept
	[[ $(body spool/kept) == $'\nHello.' ]]
}
