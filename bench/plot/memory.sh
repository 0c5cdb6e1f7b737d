#!/bin/sh
# memory.sh: prints the drawing of the memory and of who maps it, as SVG. `make drawing` writes
# bench/plot/memory.svg, which README shows. The numbers come from the headers that own them.
set -eu
cd "$(dirname "$0")/../.."
defined() { # NAME HEADER: the last value that the header gives it
	sed -n "s/^#define $1  *(*\([0-9]*\)u*\( .*\)*)*\$/\1/p" "$2" | tail -n 1 | grep .
}
page=$(defined LAYOUT_PAGE_BYTES src/shm/layout.h)
slots=$(defined BUCKET_SLOTS src/shm/layout.h)
tag=$(defined SLOT_TAG_BITS src/shm/layout.h)
unit=$(defined SLOT_UNIT_BITS src/shm/layout.h)
cells=$(defined HINT_CELLS_PER_CLIENT src/shm/hint.h)
line=$((8 * (slots + 1)))

box() { # CLASS X Y WIDTH HEIGHT
	echo "<rect class=\"$1\" x=\"$2\" y=\"$3\" width=\"$4\" height=\"$5\" rx=\"4\"/>"
}
text() { # CLASS X Y WORDS
	echo "<text class=\"$1\" x=\"$2\" y=\"$3\">$4</text>"
}
arrow() { # CLASS PATH
	echo "<path class=\"$1\" d=\"$2\" marker-end=\"url(#head)\"/>"
}

cat <<-END
	<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 500" width="1000" height="500" font-family="sans-serif" font-size="14">
	<style>
	.paper { fill: #ffffff } .memory { fill: #eef4f9; stroke: #1b6ca8; stroke-width: 2 } .part { fill: #ffffff; stroke: #8fb4d0 }
	.slot { fill: #d5e6f2; stroke: #1b6ca8 } .word { fill: #a3c9a8; stroke: #4d7d54 } .item { fill: #f3dfbf; stroke: #b07a2a }
	.process { fill: #f7f7f7; stroke: #555555; stroke-width: 2 } .hints { fill: #f4f8f1; stroke: #4d7d54; stroke-width: 2 }
	.title { font-weight: bold } .small { font-size: 12px; fill: #444444 } .tiny { font-size: 11px; fill: #444444; text-anchor: middle }
	.name { font-weight: bold; text-anchor: middle } .mid { font-size: 12px; fill: #444444; text-anchor: middle }
	.write { stroke: #b03a2e; stroke-width: 2.5; fill: none } .read { stroke: #1b6ca8; stroke-width: 2.5; fill: none }
	.tell { stroke: #4d7d54; stroke-width: 2; fill: none; stroke-dasharray: 6 4 } .ask { stroke: #777777; stroke-width: 1.8; fill: none }
	.lead { stroke: #b07a2a; stroke-width: 1.8; fill: none }
	</style>
	<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#444444"/></marker></defs>
END
box paper 0 0 1000 500

# The segment.
box memory 285 20 425 318
text title 301 44 'the segment: /dev/shm/peekd.NAME'
box part 301 58 393 26
text small 309 75 "header, $page bytes; the daemon's counters, $page bytes"
box part 301 92 393 26
text small 309 109 'a record for each block; a word for each tag of items'
box part 301 126 393 84
text small 309 143 "buckets, each one cache line of $line bytes:"
x=309
box word $x 150 66 26
text tiny $((x + 33)) 167 sequence
x=$((x + 70)) i=1
while [ "$i" -le "$slots" ]; do
	box slot $x 150 40 26
	text tiny $((x + 20)) 167 "slot $i"
	x=$((x + 44)) i=$((i + 1))
done
text small 309 199 "a slot: a tag of the key ($tag bits), the item's offset ($unit bits)"
box part 301 218 393 26
text small 309 235 'overflow buckets, for the chains of full buckets'
box part 301 252 393 76
text small 309 321 'arena: blocks, each a piece of the log of items'
x=309
for width in 66 112 58 129; do
	box item $x 262 $width 40
	x=$((x + width + 4))
done
text tiny 342 286 item
text tiny 435 280 'item: header,'
text tiny 435 294 'key, value'
text tiny 524 286 item
text tiny 622 286 item
arrow lead 'M 663 176 C 706 190 716 230 670 261'

# The hint page.
box hints 285 380 425 100
text title 301 404 'the hint page: shared memory of its own'
text small 301 428 'a byte for each slot: how often its item was read lately'
text small 301 448 "$cells cells of counters for each client: hits, misses, retries"
text small 301 468 'not believed: it decides only which items are evicted sooner'

# The daemon and its clients.
box process 20 96 190 94
text name 115 124 peekd
text mid 115 146 'the only writer'
text mid 115 164 'no reader waits for it'
text mid 115 182 'killed: readers go on'
arrow write 'M 210 130 L 283 130'
text mid 247 122 'maps it'
text mid 247 148 'read-write'
arrow tell 'M 285 420 C 225 420 180 320 180 193'
text small 222 356 'reads hints'
box process 20 380 190 100
text name 115 406 'any other client'
text mid 115 428 "memcached's text protocol,"
text mid 115 446 'classic and meta: get, set ...'
text mid 115 466 'any language'
arrow ask 'M 80 380 L 80 193'
text small 22 290 'control'
text small 22 306 'socket'

# The readers.
for y in 60 150 240; do
	box process 790 $y 190 76
done
text name 885 86 'process with libpeek'
text mid 885 108 'no lock, no system call,'
text mid 885 124 'no message, no wait'
text name 885 176 'process with libpeek'
text mid 885 198 'its kill disturbs nobody'
text name 885 266 'process with libpeek'
text mid 885 288 'any number of threads'
arrow read 'M 787 98 L 713 98'
arrow read 'M 787 180 L 713 180'
arrow read 'M 787 264 L 713 264'
text mid 751 90 'maps it'
text mid 751 116 'read-only'
text mid 751 172 reads
text mid 751 256 reads
arrow tell 'M 885 319 C 885 400 800 420 713 420'
text small 850 412 'leaves hints'
# Their writes.
arrow ask 'M 840 60 C 800 4 640 8 480 8 C 250 8 150 10 125 93'
text small 815 22 'its writes: the control socket'
echo '</svg>'
