# Clients that close or reset the connection at any point of the dialogue: the
# session ends, and only messages that got 250 are stored.

load helpers

# the points, as actions up to each of them
reach() {
	case $1 in
	connect) actions=() ;;
	banner) actions=(reply) ;;
	word) actions=(reply send:HE settle) ;;
	helo) actions=("${data_bob[@]:0:3}") ;;
	mail) actions=("${data_bob[@]:0:5}") ;;
	rcpt) actions=("${data_bob[@]:0:7}") ;;
	data) actions=("${data_bob[@]}") ;;
	line) actions=("${data_bob[@]}" send:'Subject: x\r\n\r\nte' settle) ;;
	lines) actions=("${data_bob[@]}" repeat:3000:'text\r\n' settle) ;;
	dot) actions=("${data_bob[@]}" send:'text\r\n.' settle) ;;
	dotcr) actions=("${data_bob[@]}" send:'text\r\n.\r' settle) ;;
	lfdotlf) actions=("${data_bob[@]}" send:'text\n.\n' settle) ;;
	esac
}

points='connect banner word helo mail rcpt data line lines dot dotcr lfdotlf'

@test "a client that closes the connection at any point leaves nothing behind" {
	local point
	for point in $points; do
		for via in -s -p -t; do
			echo "$point $via"
			reach "$point"
			talk "${actions[@]}" close exit:0
		done
	done
	keeps 0
}

@test "a client that resets the connection at any point leaves nothing behind" {
	local point
	for point in $points; do
		for via in -s -t; do
			echo "$point $via"
			reach "$point"
			# one that never was connected may be called an error
			if [[ $point == connect ]]; then
				talk reset
			else
				talk "${actions[@]}" reset exit:0
			fi
		done
	done
	keeps 0
}

@test "a client that closes its sending side at any point leaves nothing behind" {
	local point
	for point in $points; do
		for via in -s -p -t; do
			echo "$point $via"
			reach "$point"
			talk "${actions[@]}" shut eof exit:0
			[[ $codes != *250*354*250* ]]
		done
	done
	keeps 0
}

@test "a client that sends all, closes its sending side and reads on is served" {
	for via in -s -p -t; do
		talk send:'HELO c.example\r\nMAIL FROM:<a@c.example>\r\n' \
		    send:'RCPT TO:<bob@mx.example>\r\nDATA\r\n' \
		    send:'Subject: x\r\n\r\nx\r\n.\r\nNOOP\r\nQUIT\r\n' shut eof exit:0
		[[ $codes == '220 250 250 250 354 250 250 221' ]]
	done
	keeps 3
}

@test "a client that closes its sending side without QUIT is served" {
	for via in -s -p -t; do
		talk send:'HELO c.example\r\nMAIL FROM:<a@c.example>\r\n' \
		    send:'RCPT TO:<bob@mx.example>\r\nDATA\r\n' \
		    send:'Subject: x\r\n\r\nx\r\n.\r\n' shut eof exit:0
		[[ $codes == '220 250 250 250 354 250' ]]
	done
	keeps 3
}

@test "a message whose client left before the 250 is stored whole or not at all" {
	local file
	for via in -s -p -t; do
		talk "${data_bob[@]}" send:'Subject: x\r\n\r\nbody\r\n.\r\n' close exit:0
	done
	find "$dir/tmp" -type f | grep -c . | grep -qx 0
	for file in "$dir"/new/*; do
		[[ ! -e $file ]] || grep -qx body "$file"
	done
}

@test "a last line without its end is not executed" {
	local cut
	for cut in QUIT 'QUIT\r' 'RSET'; do
		talk "${data_bob[@]:0:7}" send:"$cut" shut eof exit:0
		[[ $codes == '220 250 250 250' ]]
	done
	printf 'HELO c.example\r\nMAIL FROM:<a@c.example>\r\nRCPT TO:<b@x>' \
	    >"$tmp/cut"
	feed "$tmp/cut"
	[[ $codes == '220 250 250' ]]
}

@test "data without a complete CR LF . CR LF is not stored" {
	local cut
	for cut in '' '.' '.\r' 'x' 'x\r' 'x\r\n' 'x\r\n.' 'x\r\n.\r' 'x\n.\n' \
	    'x\r\n.\n' 'x\r.\r' '\r\n.' 'x.\r\n'; do
		talk "${data_bob[@]}" send:"$cut" shut eof exit:0
		[[ $codes == '220 250 250 250 354'* ]]
		[[ $codes != *' 250' ]]
		keeps 0
	done
}

@test "with standard input at its end, smtpd sends its banner and exits" {
	: >"$tmp/nothing"
	feed "$tmp/nothing"
	[[ $codes == 220 ]]
}

@test "the log shows the phase in which a client was lost" {
	talk "${data_bob[@]}" send:'text\r\n' settle close exit:0
	grep -F 'from=alice@c.example' "$log"
}
