# Timeouts.  A test waits for the server's own timeout of a second, and for
# nothing else; if the timeout is minutes, t/fail.so puts the clock forward.

load helpers

# clock SECONDS: a clock that is put forward by run:"$later", while the server
# waits
clock() {
	printf 0 >"$tmp/armed"
	environment=(LD_PRELOAD="$PWD/t/fail.so" FAIL_CLOCK="$1"
	    FAIL_WHEN="$tmp/armed")
	later="$asleep && printf 1 1<>'$tmp/armed'"
	[[ -f t/fail.so ]]
}

@test "an idle client gets 421 4.4.2 and is disconnected (RFC 5321 4.5.3.2.7)" {
	options=(--read-timeout 1s)
	for via in -s -p; do
		talk reply:220 reply:'421 4.4.2 ' eof
	done
}

@test "a client that is idle within a transaction gets 421 4.4.2, and nothing is stored" {
	options=(-r 1)
	talk "${data_bob[@]:0:7}" reply:'421 4.4.2 ' eof
	keeps 0
}

@test "a client that is idle in data gets 421 4.4.2, and nothing is stored (RFC 5321 4.5.3.2.5)" {
	options=(-r 1s)
	talk "${data_bob[@]}" say:'Subject: x' say: say:x reply:'421 4.4.2 ' eof
	keeps 0
	talk "${data_bob[@]}" send:'x\r\n.' reply:'421 4.4.2 ' eof
	keeps 0
}

@test "a command line that trickles in must be complete within --read-timeout" {
	options=(-r 1s)
	talk reply drip:100:x reply:'421 4.4.2 ' eof
	talk reply say:'HELO c.example' reply drip:100:'\0x' reply:'500 5.5.2 ' \
	    drip:100:x reply:'421 4.4.2 ' eof
}

@test "a client that sends each command in time is not disconnected" {
	clock 200
	talk reply say:'HELO c.example' reply:250 run:"$later" say:NOOP reply:250 \
	    say:QUIT reply:221 eof
}

@test "--session-timeout ends an active session with 421 4.4.2" {
	options=(--session-timeout 1s)
	talk reply drip:50:'NOOP\r\n' reply:250 reply:'421 4.4.2 ' eof
}

@test "the default --session-timeout is an hour, however busy the client is" {
	options=(-r 0)
	clock 3700
	talk reply say:'HELO c.example' reply:250 run:"$later" \
	    drip:50:'NOOP x' reply:'421 4.4.2 ' eof
	clock 3500
	talk reply say:'HELO c.example' reply:250 run:"$later" \
	    say:NOOP reply:250 say:QUIT reply:221 eof
}

@test "--session-timeout ends data, too, and nothing is stored" {
	options=(-r 0 --min-rate 0)
	clock 3700
	talk "${data_bob[@]}" run:"$later" drip:50:'x\r\n' reply:'421 4.4.2 ' eof
	keeps 0
}

@test "data slower than --min-rate after the first minute gets 421 4.4.2, nothing stored" {
	clock 100
	talk "${data_bob[@]}" repeat:400:'x\r\n' settle run:"$later" \
	    drip:50:'x\r\n' reply:'421 4.4.2 ' eof
	keeps 0
}

@test "in its first minute data may have any rate" {
	clock 50
	talk "${data_bob[@]}" repeat:4:'x\r\n' settle run:"$later" \
	    bytes:'x\r\nx\r\n' say:. reply:250 say:QUIT eof
	keeps 1
}

@test "data faster than --min-rate is accepted" {
	clock 100
	talk "${data_bob[@]}" repeat:20000:'xxxx\r\n' settle run:"$later" \
	    bytes:'x\r\nx\r\n' say:. reply:250 say:QUIT eof
	keeps 1
}

@test "fast data earns at most five minutes of slow data" {
	options=(-r 0)
	clock 310
	talk "${data_bob[@]}" repeat:100000:'xxxx\r\n' settle run:"$later" \
	    drip:50:'x\r\n' reply:'421 4.4.2 ' eof
	clock 280
	talk "${data_bob[@]}" repeat:100000:'xxxx\r\n' settle run:"$later" \
	    bytes:'x\r\nx\r\n' say:. reply:250 say:QUIT eof
	keeps 1
}

@test "--min-rate sets the rate, and 0 means no limit" {
	options=(--min-rate 5)
	clock 100
	talk "${data_bob[@]}" repeat:400:'x\r\n' settle run:"$later" \
	    bytes:'x\r\nx\r\n' say:. reply:250 say:QUIT eof
	options=(--min-rate 0 -r 0)
	clock 1000
	talk "${data_bob[@]}" repeat:4:'x\r\n' settle run:"$later" \
	    bytes:'x\r\nx\r\n' say:. reply:250 say:QUIT eof
	keeps 2
}

@test "a client that reads no replies is disconnected after --write-timeout" {
	options=(-w 1s --max-recipients 0)
	for via in -s -t -p; do
		talk "${data_bob[@]:0:7}" deaf:'RCPT TO:<bob@mx.example>\r\n' close \
		    exit:0
	done
	keeps 0
}

@test "--session-timeout ends the session of a client that reads no replies, too" {
	options=(--session-timeout 1s -w 0 -r 0 --max-recipients 0)
	for via in -s -t -p; do
		talk "${data_bob[@]:0:7}" deaf:'RCPT TO:<bob@mx.example>\r\n' close \
		    exit:0
	done
	keeps 0
}

@test "0 means no timeout" {
	options=(-r 0 -w 0 --session-timeout 0 --min-rate 0)
	clock 100000
	talk "${data_bob[@]}" bytes:'x\r\n' run:"$later" bytes:'x\r\n' say:. \
	    reply:250 say:QUIT reply:221 eof
	keeps 1
}

@test "a timeout is logged as the reason why the session ended" {
	options=(-r 1s)
	talk reply say:'HELO c.example' reply:250 reply:421 eof
	events refused | grep -F 'reply="421 4.4.2 '
}
