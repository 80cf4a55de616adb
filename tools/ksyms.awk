# nm -n output -> assembly of the kernel's own symbol table, sorted by address, for back traces:
# ksyms_count pairs of 32-bit words (offset from _text, offset of the name in ksyms_names).
# Every address lies in the top 2 GiB: its low 32 bits are enough, and the assembler subtracts them.
BEGIN { n = 0; len = 0; base = "0" }
$3 == "_text" { base = "0x" substr($1, 9) }
$2 ~ /^[tTwW]$/ { addr[n] = "0x" substr($1, 9); name[n] = $3; at[n] = len; len += length($3) + 1; n++ }
END {
	print "\t.section .ksyms, \"a\", @progbits"
	print "\t.globl ksyms_count, ksyms_pairs, ksyms_names"
	print "\t.balign 8\nksyms_count:\n\t.quad " n + 0 "\nksyms_pairs:"
	for (i = 0; i < n; i++)
		print "\t.long " addr[i] " - " base ", " at[i]
	print "ksyms_names:"
	for (i = 0; i < n; i++)
		print "\t.asciz \"" name[i] "\""
	print "\t.section .note.GNU-stack, \"\", @progbits"
}
