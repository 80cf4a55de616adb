module := dev/tty
uses := lib arch boot dev mm signal sync task time vfs
srcs := tty.c ldisc.c termios.c jobctl.c pty.c devpts.c input.c console.c hvc.c ttys.c
ktests :=
cold := console.c devpts.c hvc.c jobctl.c pty.c termios.c tty.c ttys.c
$(eval $(register_module))
