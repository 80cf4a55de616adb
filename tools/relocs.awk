# readelf -rW of a link with --emit-relocs -> assembly of the table of the places in the image that hold an
# address of it, in the form that arch kaslr.c reads. 32-bit ones are sign-extended (R_X86_64_32S); the unsigned ones
# are physical addresses, which do not change. What lies behind the table moves when it grows: so a list
# begins at its section, whose name in C is below.
function hex(s,    i, n) {
	n = 0
	for (i = 1; i <= length(s); i++)
		n = n * 16 + index("0123456789abcdef", tolower(substr(s, i, 1))) - 1
	return n
}
function distance(d) {
	if (d < 128)
		return "\t.byte " d "\n"
	if (d < 16384)
		return "\t.byte " 128 + int(d / 256) ", " d % 256 "\n"
	if (d >= 4194304) { print "relocations too far apart" >"/dev/stderr"; exit 1 }
	return "\t.byte " 192 + int(d / 65536) ", " int(d / 256) % 256 ", " d % 256 "\n"
}
BEGIN {
	start[".text"] = "_text"; start[".init.text"] = "__init_text_start"; start[".rodata"] = "__rodata_start"
	start[".percpu"] = "__percpu_start"; start[".data"] = "__data_start"
	start[".data.ro_after_init"] = "__ro_after_init_start"; start[".init.data"] = "__init_data_start"
}
/^Relocation section/ { section = $3; gsub(/\x27|\.rela/, "", section) }
NF == 3 && $2 ~ /^[tTrRdDbB]$/ { value[$3] = hex(substr($1, length($1) - 7)) } # nm, read first
($3 == "R_X86_64_64" || $3 == "R_X86_64_32S") && section != ".note.pvh" {
	if (!(section in start)) { print "relocation in " section >"/dev/stderr"; exit 1 }
	list = section ($3 == "R_X86_64_64" ? " 8" : " 4")
	at[list, n[list]++] = hex(substr($1, length($1) - 7))
}
END {
	print "\t.section .ksyms, \"a\", @progbits\n\t.globl image_relocs\nimage_relocs:"
	for (list in n) {
		split(list, part, " ")
		printf "\t.long %s - 0xffffffff80000000 - 8\n\t.byte %s\n", start[part[1]], part[2]
		# In ascending order, but for sections of which several were merged: sorted by insertion.
		for (i = 1; i < n[list]; i++) {
			v = at[list, i]
			for (j = i; j > 0 && at[list, j - 1] > v; j--)
				at[list, j] = at[list, j - 1]
			at[list, j] = v
		}
		last = value[start[part[1]]] - 8 # so that no distance is 0, which is the end
		for (i = 0; i < n[list]; i++) {
			if (at[list, i] == last && i) { print "two relocations of one place" >"/dev/stderr"; exit 1 }
			printf "%s", distance(at[list, i] - last)
			last = at[list, i]
		}
		print "\t.byte 0"
	}
	print "\t.long 0\n\t.byte 0"
	print "\t.section .note.GNU-stack, \"\", @progbits"
}
