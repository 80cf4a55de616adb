# readelf -rW of a link with --emit-relocs -> assembly of the tables of sites (arch alternatives.c): the distance
# from _text to the first CALL or JMP to an indirect-branch thunk, then from each to the next, in words; and the
# same of the JMPs to the return thunk, in bytes. A distance too long goes in steps of all ones, after which
# no site is. -v text=ADDRESS of _text, in hex.
function hex(s,    i, n) {
	n = 0
	for (i = 1; i <= length(s); i++)
		n = n * 16 + index("0123456789abcdef", tolower(substr(s, i, 1))) - 1
	return n
}
# Relocations come in the order of addresses within a section.
function site(table, address) {
	if (address < last[table]) { print "sites out of order" >"/dev/stderr"; exit 1 }
	for (; address - last[table] >= far[table]; last[table] += far[table])
		out[table] = out[table] "\t" directive[table] " " far[table] "\n"
	out[table] = out[table] "\t" directive[table] " " address - last[table] "\n"
	last[table] = address
	count[table]++
}
# Low 32 bits: every address lies in the top 2 GiB, and awk's numbers hold no 64 bits.
BEGIN {
	base = hex(substr(text, length(text) - 7))
	far["branch"] = 65535; directive["branch"] = ".short"
	far["return"] = 255; directive["return"] = ".byte"
}
/^Relocation section/ { code = $3 ~ /\.rela\.(init\.)?text/ }
# The displacement follows one byte of opcode.
code && $3 ~ /^R_X86_64_(PLT32|PC32)$/ && $5 ~ /^__x86_indirect_thunk_/ {
	site("branch", hex(substr($1, length($1) - 7)) - 1 - base)
}
code && $3 ~ /^R_X86_64_(PLT32|PC32)$/ && $5 == "__x86_return_thunk" {
	site("return", hex(substr($1, length($1) - 7)) - 1 - base)
}
END {
	print "\t.section .ksyms, \"a\", @progbits"
	for (table in far) {
		print "\t.globl " table "_sites_count, " table "_sites\n\t.balign 4"
		printf "%s_sites_count:\n\t.long %d\n%s_sites:\n%s", table, count[table], table, out[table]
	}
	print "\t.section .note.GNU-stack, \"\", @progbits"
}
