module := dev/tty
uses := lib boot dev mm signal sync task time vfs
srcs := tty.c ldisc.c termios.c jobctl.c pty.c devpts.c hvc.c
ktests :=
$(eval $(register_module))
