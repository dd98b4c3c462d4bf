// As shares.c, in Go. The goroutine keeps its thread, whose clock it reads.
package main

import (
	"fmt"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

const clockThreadCPUTime = 3

func threadUs() int64 {
	var now syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockThreadCPUTime, uintptr(unsafe.Pointer(&now)), 0)
	return now.Nano() / 1000
}

var state uint64 = 1

//go:noinline
func burn() {
	value := state
	for i := 0; i < 30000; i++ {
		value ^= value << 13
		value ^= value >> 7
		value ^= value << 17
	}
	state = value
}

//go:noinline
func burn_for(us int64) int64 {
	start := threadUs()
	now := start
	for now-start < us {
		burn()
		now = threadUs()
	}
	return now - start
}

var sixty, thirty, ten int64

//go:noinline
func sixty_percent(us int64) { sixty += burn_for(us) }

//go:noinline
func thirty_percent(us int64) { thirty += burn_for(us) }

//go:noinline
func ten_percent(us int64) { ten += burn_for(us) }

//go:noinline
func work() {
	var budget int64
	printed := time.Now()
	for round := int64(0); ; round++ {
		budget += 17000 + round*5%13*1000
		sixty_percent(budget*60/100 - sixty)
		thirty_percent(budget*30/100 - thirty)
		ten_percent(budget*10/100 - ten)
		if time.Since(printed) < time.Second {
			continue
		}
		printed = time.Now()
		fmt.Printf("spent sixty_percent=%d thirty_percent=%d ten_percent=%d us\n", sixty, thirty, ten)
	}
}

func main() {
	runtime.LockOSThread()
	work()
}
