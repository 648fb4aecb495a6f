package main

import (
	"syscall"
	"time"
	"unsafe"
)

var (
	started   = time.Now()
	startedAt = clock()
)

func clock() int64 {
	var time syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, 1, uintptr(unsafe.Pointer(&time)), 0)
	return time.Nano()
}
