# The system calls of a message.  They are counted; nothing is timed.

load helpers

traced() {
	environment=(LD_PRELOAD="$PWD/t/fail.so" FAIL_TRACE="$tmp/trace")
	mkdir -p "$dir"/{tmp,new,cur}
	via=-s
	[[ -f t/fail.so ]]
}

# count CALL: how often it was seen
count() {
	grep -cx "$1" "$tmp/data" || true
}

@test "a pipelined group gets its replies in one write (RFC 2920 3.2)" {
	local group='MAIL FROM:<a@c.example>\r\n' replies=(reply:250) i
	for ((i = 0; i < 50; i++)); do
		group+="RCPT TO:<b$i@mx.example>\r\n"
		replies+=('reply:250 2.1.5 ')
	done
	traced
	talk reply:220 say:'HELO c.example' reply:250 run:": >'$tmp/trace'" \
	    send:"${group}DATA\r\n" "${replies[@]}" reply:354 run:"cp '$tmp/trace' '$tmp/group'" \
	    send:'x\r\n.\r\n' reply:250 say:QUIT reply:221 eof
	(($(grep -cx 'write sock' "$tmp/group") == 1))
	keeps 1
}

@test "a message costs one open, write, fsync, rename, fsync of new/ and close" {
	traced
	talk "${data_bob[@]}" send:'x\r\n.\r\n' reply:250 run:": >'$tmp/trace'" \
	    send:'MAIL FROM:<a@c.example>\r\nRCPT TO:<bob@mx.example>\r\nDATA\r\n' \
	    reply:250 reply:250 reply:354 send:'x\r\n.\r\n' reply:250 \
	    run:"cp '$tmp/trace' '$tmp/second'" say:QUIT reply:221 eof
	cat "$tmp/second"
	[[ $(sed '/^malloc/d; /^poll/d; /^read/d; /^write stderr/d' "$tmp/second" | paste -sd,) == "statvfs -,\
open -,write sock,write file,fsync file,rename -,fsync dir,close file,\
write sock" ]]
	(($(grep -c '^write stderr$' "$tmp/second") == 1))
	keeps 2
}

@test "large messages are written in large blocks, without allocating memory" {
	traced
	talk "${data_bob[@]}" run:": >'$tmp/trace'" \
	    repeat:14000:"$(printf %076d 0)\\r\\n" send:'.\r\n' reply:250 \
	    run:"cp '$tmp/trace' '$tmp/data'" say:QUIT reply:221 eof
	echo "$(count 'write file') writes, $(count 'malloc -') allocations"
	# 32 KiB at least, but for the rest and what fills the buffer
	(($(count 'write file') <= 14000 * 77 / 32768 + 3))
	(($(count 'malloc -') <= 2))
	keeps 1
}

@test "a small message is read once for its copies, and each is written at once" {
	users bob eve
	traced
	talk "${data_bob[@]}" send:'x\r\n.\r\n' reply:250 run:": >'$tmp/trace'" \
	    send:'MAIL FROM:<a@c.example>\r\nRCPT TO:<bob@mx.example>\r\n' \
	    send:'RCPT TO:<eve@mx.example>\r\nDATA\r\n' \
	    reply:250 reply:250 reply:250 reply:354 send:'x\r\n.\r\n' reply:250 \
	    run:"cp '$tmp/trace' '$tmp/second'" say:QUIT reply:221 eof
	sed '/^malloc/d; /^poll/d; /sock$/d; /stderr$/d; s/ -$//' "$tmp/second" \
	    >"$tmp/data"
	cat "$tmp/data"
	# a room check and two recipients; the spool; two copies, the first of
	# them in the same Maildir; their names; and the end of it
	[[ $(paste -sd, "$tmp/data") == "statvfs,stat,stat,\
open_old,open_old,open_old,stat,statfs,open,write file,\
read file,open,write file,begin_sync file,\
open_old,open_old,open_old,stat,statfs,open,write file,begin_sync file,\
fsync file,close file,fsync file,close file,\
rename,rename,fsync dir,fsync dir,\
close dir,close dir,close dir,unlink,close file,close dir,close dir,close dir" ]]
	keeps 2 "${dir/'{mailbox}'/bob}"
	keeps 1 "${dir/'{mailbox}'/eve}"
}
