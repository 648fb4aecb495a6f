// The jobs of the table in Go, one sample per process: ROW PEER SIZE PIECE OPS WARMUPS, a line of figures on stdout.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const block = 65536

// Seconds after which short operations are not repeated.
const enough = 1.0

type task struct {
	row   string
	size  int64
	piece int64
	child string
	input []byte
}

type outcome struct {
	stdout, stderr []byte
	count, bytes   int64
	disorder       bool
	figure         float64
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	number := func(index int) int64 {
		value, err := strconv.ParseInt(os.Args[index], 10, 64)
		fatal(err)
		return value
	}
	self, err := os.Executable()
	fatal(err)
	t := &task{row: os.Args[1], size: number(3), piece: number(4), child: filepath.Join(filepath.Dir(self), "bench-child")}
	ops, warmups := number(5), number(6)
	time.AfterFunc(time.Minute, func() { fatal(fmt.Errorf("a sample takes too long")) })
	prepare(t)
	var wall, own, children, figure float64
	measured := 0
	for op := int64(0); op < ops+warmups; op++ {
		if t.row == "feed" {
			t.input = numbered(t.size)
		}
		ownBefore, childrenBefore := cpu(syscall.RUSAGE_SELF), cpu(syscall.RUSAGE_CHILDREN)
		began := time.Now()
		result := run(t)
		took := time.Since(began).Seconds()
		ownAfter, childrenAfter := cpu(syscall.RUSAGE_SELF), cpu(syscall.RUSAGE_CHILDREN)
		check(t, result)
		if op >= warmups {
			wall += took
			own += ownAfter - ownBefore
			children += childrenAfter - childrenBefore
			figure = result.figure
			measured++
		}
		if wall > enough {
			break
		}
	}
	fmt.Printf("sample wall=%g ops=%d own=%g children=%g peak=%d figure=%g\n", wall, measured, own, children, peak(), figure)
}

func prepare(t *task) {
	if strings.HasPrefix(t.row, "one-") {
		// The kernel's set of CPUs, for the threads that there are and will be.
		runtime.LockOSThread()
		mask := [16]uint64{1}
		threads, err := os.ReadDir("/proc/self/task")
		fatal(err)
		for _, thread := range threads {
			id, _ := strconv.Atoi(thread.Name())
			syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, uintptr(id), 128, uintptr(pointer(&mask)))
		}
		runtime.GOMAXPROCS(1)
		runtime.UnlockOSThread()
	}
	if t.row == "many-fds" || t.row == "thousand" {
		var limit syscall.Rlimit
		fatal(syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
		limit.Cur = limit.Max
		fatal(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
		if t.row == "many-fds" {
			null, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
			fatal(err)
			for at := int64(0); at < t.size && at+100 < int64(limit.Max); at++ {
				fd, err := syscall.Dup(null)
				fatal(err)
				syscall.CloseOnExec(fd)
			}
		}
	}
}

func cpu(whose int) float64 {
	var usage syscall.Rusage
	fatal(syscall.Getrusage(whose, &usage))
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func peak() int64 {
	status, err := os.ReadFile("/proc/self/status")
	fatal(err)
	for _, line := range strings.Split(string(status), "\n") {
		if strings.HasPrefix(line, "VmHWM:") {
			value, err := strconv.ParseInt(strings.Fields(line)[1], 10, 64)
			fatal(err)
			return value
		}
	}
	return 0
}

func numbered(size int64) []byte {
	all := bytes.Repeat([]byte{'x'}, int(size))
	for at := 0; at < len(all); at += block {
		copy(all[at:], fmt.Sprintf("%08x", at/block))
	}
	return all
}

func (t *task) command(args ...string) *exec.Cmd {
	command := exec.Command(t.child, args...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	return command
}

func (t *task) text() string { return strconv.FormatInt(t.size, 10) }

func capture(command *exec.Cmd) outcome {
	var stdout, stderr bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = nil, &stdout, &stderr
	fatal(command.Run())
	return outcome{stdout: stdout.Bytes(), stderr: stderr.Bytes()}
}

func run(t *task) outcome {
	switch t.row {
	case "spawn", "many-fds":
		fatal(t.command("nop").Run())
		return outcome{}
	case "capture":
		return capture(t.command("hello"))
	case "three":
		return pipeline(t.command("nop"), t.command("nop"), t.command("nop"))
	case "pipeline":
		return pipeline(t.command("generate", t.text()), t.command("cat"), t.command("sink", t.text()))
	case "bulk":
		return capture(t.command("generate", t.text()))
	case "both":
		return capture(t.command("both", t.text()))
	case "feed":
		var stdout bytes.Buffer
		command := t.command("cat")
		command.Stdin, command.Stdout = bytes.NewReader(t.input), &stdout
		fatal(command.Run())
		return outcome{stdout: stdout.Bytes()}
	case "merged":
		output := t.command("tiny", t.text())
		output.Stdout, output.Stderr = nil, nil
		all, err := output.CombinedOutput()
		fatal(err)
		return outcome{stdout: all}
	case "lines":
		return lines(t)
	case "delay":
		return delay(t)
	case "relay":
		return relay(t)
	case "tee":
		return tee(t)
	case "thousand":
		return thousand(t)
	case "mem-64", "mem-4k", "mem-64k", "one-64", "one-4k", "one-64k", "buf-64", "buf-4k", "buf-64k":
		return stream(t)
	case "mem-ping", "one-ping":
		return ping(t)
	}
	fatal(fmt.Errorf("no row %s", t.row))
	return outcome{}
}

func pipeline(commands ...*exec.Cmd) outcome {
	for index, command := range commands[:len(commands)-1] {
		commands[index+1].Stdin = nil
		command.Stdout = nil
		output, err := command.StdoutPipe()
		fatal(err)
		commands[index+1].Stdin = output
	}
	for _, command := range commands {
		fatal(command.Start())
	}
	for _, command := range commands {
		fatal(command.Wait())
	}
	return outcome{}
}

func source(t *task, args ...string) (*exec.Cmd, io.ReadCloser) {
	command := t.command(args...)
	command.Stdout = nil
	output, err := command.StdoutPipe()
	fatal(err)
	fatal(command.Start())
	return command, output
}

func sink(t *task) (*exec.Cmd, io.WriteCloser) {
	command := t.command("sink", t.text())
	command.Stdin = nil
	input, err := command.StdinPipe()
	fatal(err)
	fatal(command.Start())
	return command, input
}

func lines(t *task) outcome {
	command, output := source(t, "lines", t.text())
	scanner := bufio.NewScanner(output)
	var result outcome
	last := uint64(0)
	for scanner.Scan() {
		line := scanner.Bytes()
		key := binary.BigEndian.Uint64(line)
		result.disorder = result.disorder || key <= last
		last = key
		result.count++
		result.bytes += int64(len(line))
	}
	fatal(scanner.Err())
	fatal(command.Wait())
	return result
}

func relay(t *task) outcome {
	from, output := source(t, "generate", t.text())
	to, input := sink(t)
	_, err := io.Copy(input, output)
	fatal(err)
	fatal(input.Close())
	fatal(from.Wait())
	fatal(to.Wait())
	return outcome{}
}

func tee(t *task) outcome {
	from, output := source(t, "generate", t.text())
	one, first := sink(t)
	other, second := sink(t)
	_, err := io.CopyBuffer(io.MultiWriter(first, second), output, make([]byte, block))
	fatal(err)
	fatal(first.Close())
	fatal(second.Close())
	fatal(from.Wait())
	fatal(one.Wait())
	fatal(other.Wait())
	return outcome{}
}

func thousand(t *task) outcome {
	var group sync.WaitGroup
	var lock sync.Mutex
	var result outcome
	for index := int64(0); index < t.size; index++ {
		group.Add(1)
		go func() {
			defer group.Done()
			command := t.command("sleep", "500")
			command.Stdout = nil
			output, err := command.Output()
			fatal(err)
			lock.Lock()
			result.stdout = append(result.stdout, output...)
			lock.Unlock()
		}()
	}
	group.Wait()
	return result
}

func check(t *task, result outcome) {
	good := true
	blocks := func(bytes []byte) bool {
		if int64(len(bytes)) != t.size {
			return false
		}
		for at := 0; at < len(bytes); at += block {
			if string(bytes[at:at+8]) != fmt.Sprintf("%08x", at/block) {
				return false
			}
		}
		return true
	}
	switch t.row {
	case "capture":
		good = string(result.stdout) == "hello\n"
	case "bulk", "feed":
		good = blocks(result.stdout)
	case "both":
		good = blocks(result.stdout) && blocks(result.stderr)
	case "merged":
		good = int64(len(result.stdout)) == 20*t.size
		for at := 0; good && at < len(result.stdout); at += 20 {
			good = string(result.stdout[at:at+16]) == fmt.Sprintf("%016x", at/20)
		}
	case "lines":
		good = !result.disorder && result.count == t.size && result.bytes == 59*t.size
	case "thousand":
		good = string(result.stdout) == strings.Repeat("hello\n", int(t.size))
	case "delay", "mem-ping", "one-ping":
		good = result.count == t.size
	case "mem-64", "mem-4k", "mem-64k", "one-64", "one-4k", "one-64k", "buf-64", "buf-4k", "buf-64k":
		good = !result.disorder && result.bytes == t.size
	}
	if !good {
		fatal(fmt.Errorf("wrong result"))
	}
}
