# The tests' own tools.  A client that accepted a wrong reply, or a shim that
# broke nothing, would let every other test pass.

load helpers

# server SCRIPT ACTION...: t/smtpc against a shell script
server() {
	run -"$1" t/smtpc -T 5 -s sh -c "$2" -- "${@:3}"
}

@test "t/smtpc prints replies and accepts a correct one" {
	server 0 'printf "220-a\r\n220 b\r\n"; read -r x; printf "250 %s\r\n" "${x%?}"' \
	    reply:220 say:hello reply:'250 hello' eof
	[[ $output == $'220-a\n220 b\n250 hello' ]]
}

@test "t/smtpc fails on a wrong reply, a missing one, and an unexpected one" {
	server 1 'printf "250 x\r\n"' reply:220
	server 1 'true' reply
	server 1 'printf "220 x\r\n"; exec 0<&- 1>&-' reply reply
}

@test "t/smtpc fails on a malformed reply line" {
	local bad
	for bad in '220 x\n' '22 x\r\n' '220x\r\n' 'x\r\n' '620 x\r\n' \
	    '220 \001\r\n' '220 \303\270\r\n' "220 $(printf '%0509d' 0)\r\n" \
	    '220-x\r\n' '220 x'; do
		server 1 "printf '$bad'" eof
	done
	server 0 "printf '220 $(printf '%0506d' 0)\r\n'" eof
}

@test "t/smtpc exits after its timeout and ends the server" {
	run -124 t/smtpc -T 1 -s sh -c "echo \$\$ >'$tmp/pid'; exec cat" -- reply
	eventually gone "$(<"$tmp/pid")"
}

@test "a command that t/smtpc runs does not outlive it" {
	run -124 t/smtpc -T 1 -s cat -- \
	    run:"echo \$\$ >'$tmp/pid'; until false; do sleep 0.02; done"
	eventually gone "$(<"$tmp/pid")"
}

@test "t/smtpc fails when the server dies of a signal, or has another status" {
	server 1 'kill -SEGV $$' eof
	server 1 'exit 3' eof exit:0
	server 0 'exit 3' eof exit:3
	server 1 'true' run:false
}

@test "t/smtpc sends the given bytes in the given segments" {
	server 0 'od -An -v -tx1 | tr -d " \n" >'"'$tmp/got'" \
	    send:'a\r\n\t\0\x7f\xff\\_' split:1:bc bytes:de say:f repeat:2:gh \
	    shut eof
	[[ $(<"$tmp/got") == 610d0a09007fff5c5f6263646566"0d0a"67686768 ]]
	# a read of a socketpair brings what is there: here one byte each
	server 0 'while x=$(dd bs=100 count=1 2>/dev/null) && [ "$x" ]; do
		echo "${#x}"; done >'"'$tmp/got'" split:1:bcd bytes:ef settle shut eof
	[[ $(paste -sd ' ' "$tmp/got") == '1 2 1 1' ]]
}

@test "t/smtpc blocks a server by not reading, no other" {
	server 0 'exec cat' choke:"220 $(printf '%0500d' 0)\r\n" shut eof exit:0
	[[ $output == 220* ]]
	run -124 t/smtpc -T 1 -s sh -c 'exec cat >/dev/null' -- choke:x
}

@test "t/fail.so makes the given call fail and records it" {
	shim open:2:ENOSPC
	run env "${environment[@]}" sh -c "echo 1 >'$tmp/1'; echo 2 >'$tmp/2'; echo 3 >'$tmp/3'"
	echo "$output"
	[[ -e $tmp/1 && ! -e $tmp/2 ]]
	[[ $output == *2* ]]
	failed open
	(($(wc -l <"$tmp/failed") == 1))
}

@test "t/fail.so makes a write stop halfway or at once" {
	local copy
	copy=(dd bs=6 "if=$tmp/from" "of=$tmp/to")
	echo abcde >"$tmp/from"
	shim write@file:1:short
	run -0 env "${environment[@]}" FAIL_TRACE="$tmp/trace" "${copy[@]}"
	cmp "$tmp/from" "$tmp/to"
	(($(grep -c '^write file' "$tmp/trace") == 2))
	shim write@file:1:zero
	run env "${environment[@]}" "${copy[@]}"
	failed write file
	((status != 0))
	[[ ! -s $tmp/to ]]
}

@test "t/fail.so can make a call succeed without effect" {
	shim write@file:1:lie
	run -0 env "${environment[@]}" dd bs=6 "if=t/fail.h" count=1 "of=$tmp/to"
	[[ ! -s $tmp/to ]]
}

@test "t/fail.so makes no call fail until it is armed" {
	shim open:1+:ENOSPC
	disarm
	run -0 env "${environment[@]}" sh -c "echo 1 >'$tmp/1'"
	[[ -e $tmp/1 && ! -s $tmp/failed ]]
	arm
	run env "${environment[@]}" sh -c "echo 1 >'$tmp/2'"
	((status != 0))
	[[ ! -e $tmp/2 ]]
}

@test "t/fail.so rejects an invalid rule" {
	local rule
	for rule in open open:1 open:x:EIO open:1:EWHAT 'open:1:EIO,' \
	    'open:1:EIO;' open@dir; do
		run -125 env LD_PRELOAD="$PWD/t/fail.so" FAIL="$rule" true
	done
}

@test "make powercut fails and says what is missing if a machine can't run it" {
	local name
	mkdir "$tmp/bin"
	for name in bash dirname grep mktemp rm sed; do
		ln -s "$(command -v "$name")" "$tmp/bin/$name"
	done
	run -1 env PATH="$tmp/bin" bash t/power/run
	[[ ${lines[0]} == 1..1 && ${lines[1]} == 'not ok 1 '* ]]
	[[ $output == *'# nothing was tested'* && $output == *'# mkfs.xfs'* ]]
}

@test "t/json accepts JSON and nothing else" {
	local bad
	run -0 t/json b <<<'{"a":1,"b":"x\u00e9\n\ud83d\ude00","c":-1.5e3,"d":null}'
	[[ $output == $'x\xc3\xa9\\x0A\xf0\x9f\x98\x80' ]]
	for bad in '' '{}x' '{"a":1,"a":2}' '{"a":01}' '{"a":"\x"}' '{"a":1' \
	    "{'a':1}" '{"a":"'$'\xff''"}' '{"a":"'$'\x01''"}' '{"a":"\ud800"}' \
	    '{"a":{}}' '{"a":}' '[1]' '{"a" 1}'; do
		run -1 t/json <<<"$bad"
	done
	run -1 t/json </dev/null
}
