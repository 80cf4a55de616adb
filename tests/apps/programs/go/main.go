// A Go program that leans on the kernel: goroutines blocked in system calls, child processes, timers,
// signals, memory-mapped files and a garbage collector under load. Its output is the same on every run.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func must(err error) {
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

// goroutines sends numbers through a chain of a thousand goroutines.
func goroutines() {
	first := make(chan int)
	in := first
	for i := 0; i < 1000; i++ {
		out := make(chan int)
		go func(in, out chan int) {
			for v := range in {
				out <- v + 1
			}
			close(out)
		}(in, out)
		in = out
	}
	go func() {
		for i := 0; i < 50; i++ {
			first <- i
		}
		close(first)
	}()
	sum := 0
	for v := range in {
		sum += v
	}
	fmt.Println("goroutines", sum)
}

// garbage allocates from eight goroutines while the collector runs.
func garbage() {
	var total int64
	var wg sync.WaitGroup
	for g := 0; g < 8; g++ {
		wg.Add(1)
		go func(g int) {
			defer wg.Done()
			keep := map[int][]byte{}
			for i := 0; i < 20000; i++ {
				b := make([]byte, 100+i%1000)
				b[0] = byte(i)
				keep[i%100] = b
				atomic.AddInt64(&total, int64(b[0]))
			}
			runtime.GC()
		}(g)
	}
	wg.Wait()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Println("garbage", total, m.NumGC > 0)
}

func processes() {
	out, err := exec.Command("sh", "-c", "echo out; echo err >&2; exit 7").CombinedOutput()
	fmt.Printf("%q %v\n", out, err)
	_, err = exec.Command("/nonexistent").Output()
	fmt.Println(err)
	var wg sync.WaitGroup
	var sum int64
	for i := 0; i < 20; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			cmd := exec.Command("cat")
			cmd.Stdin = strings.NewReader(strings.Repeat("x", 1000*i))
			o, err := cmd.Output()
			must(err)
			atomic.AddInt64(&sum, int64(len(o)))
		}(i)
	}
	wg.Wait()
	fmt.Println("cat", sum)
	cmd := exec.Command("sleep", "100")
	must(cmd.Start())
	must(cmd.Process.Signal(syscall.SIGTERM))
	fmt.Println(cmd.Wait())
}

func files() {
	dir, err := os.MkdirTemp("", "go")
	must(err)
	defer os.RemoveAll(dir)
	f, err := os.Create(filepath.Join(dir, "f"))
	must(err)
	w := bufio.NewWriter(f)
	for i := 0; i < 10000; i++ {
		fmt.Fprintln(w, "line", i)
	}
	must(w.Flush())
	m, err := syscall.Mmap(int(f.Fd()), 0, 4096, syscall.PROT_READ, syscall.MAP_SHARED)
	must(err)
	fmt.Println(bytes.Count(m, []byte("\n")))
	must(syscall.Munmap(m))
	_, err = f.Seek(0, io.SeekStart)
	must(err)
	n := 0
	for s := bufio.NewScanner(f); s.Scan(); n++ {
	}
	fmt.Println("lines", n)
	must(os.Rename(f.Name(), f.Name()+"2"))
	entries, err := os.ReadDir(dir)
	must(err)
	for _, e := range entries {
		info, _ := e.Info()
		fmt.Println(e.Name(), info.Size(), info.Mode())
	}
	_, err = os.Open(filepath.Join(dir, "f"))
	fmt.Println(os.IsNotExist(err))
}

func signals() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	must(syscall.Kill(os.Getpid(), syscall.SIGUSR1))
	fmt.Println(<-c)
	start := time.Now() // before the timer is armed
	t := time.NewTimer(20 * time.Millisecond)
	<-t.C
	fmt.Println("timer", time.Since(start) >= 20*time.Millisecond)
}

// pipes has readers wait in the poller, with a deadline that passes.
func pipes() {
	r, w, err := os.Pipe()
	must(err)
	_ = r.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
	_, err = r.Read(make([]byte, 1))
	fmt.Println(os.IsTimeout(err))
	_ = r.SetReadDeadline(time.Time{})
	go func() {
		time.Sleep(5 * time.Millisecond)
		_, _ = w.Write([]byte("late"))
		w.Close()
	}()
	b, err := io.ReadAll(r)
	fmt.Println(string(b), err)
}

func sockets() {
	dir, err := os.MkdirTemp("", "sock")
	must(err)
	defer os.RemoveAll(dir)
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	must(err)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c)
				c.Close()
			}()
		}
	}()
	var got []string
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := 0; i < 30; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			c, err := net.Dial("unix", l.Addr().String())
			must(err)
			fmt.Fprintf(c, "client %d", i)
			must(c.(*net.UnixConn).CloseWrite())
			b, err := io.ReadAll(c)
			must(err)
			mu.Lock()
			got = append(got, string(b))
			mu.Unlock()
		}(i)
	}
	wg.Wait()
	l.Close()
	sort.Strings(got)
	fmt.Println(len(got), got[0], got[29])
}

func main() {
	goroutines()
	garbage()
	processes()
	files()
	signals()
	pipes()
	sockets()
	fmt.Println("done", runtime.GOOS, runtime.GOARCH)
}
