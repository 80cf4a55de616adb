# readelf -rW of a link with --emit-relocs -> assembly of the table of branch sites (arch alternatives.c): the
# distance from _text to the first CALL or JMP to an indirect-branch thunk, then from each to the next. A
# distance too long for a word goes in steps of SITE_FAR, which are no sites. -v text=ADDRESS of _text, in hex.
function hex(s,    i, n) {
	n = 0
	for (i = 1; i <= length(s); i++)
		n = n * 16 + index("0123456789abcdef", tolower(substr(s, i, 1))) - 1
	return n
}
# Low 32 bits: every address lies in the top 2 GiB, and awk's numbers hold no 64 bits.
BEGIN { base = hex(substr(text, length(text) - 7)) }
/^Relocation section/ { code = $3 ~ /\.rela\.(init\.)?text/ }
code && $3 ~ /^R_X86_64_(PLT32|PC32)$/ && $5 ~ /^__x86_indirect_thunk_/ {
	at[n++] = hex(substr($1, length($1) - 7)) - 1 - base # the displacement follows one byte of opcode
}
END {
	print "\t.section .ksyms, \"a\", @progbits"
	print "\t.globl branch_sites_count, branch_sites\n\t.balign 8"
	out = ""
	count = last = 0
	for (i = 0; i < n; i++) { # relocations come in the order of addresses within a section
		if (at[i] < last) { print "sites out of order" >"/dev/stderr"; exit 1 }
		for (gap = at[i] - last; gap >= 65535; gap -= 65535) {
			out = out "\t.short 65535\n"
			count++
		}
		out = out "\t.short " gap "\n"
		count++
		last = at[i]
	}
	printf "branch_sites_count:\n\t.quad %d\nbranch_sites:\n%s", count, out
	print "\t.section .note.GNU-stack, \"\", @progbits"
}
