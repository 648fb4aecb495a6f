package main

import (
	"bufio"
	"encoding/binary"
	"io"
	"sort"
	"strconv"
	"strings"
	"time"
	"unsafe"
)

func pointer(mask *[16]uint64) unsafe.Pointer { return unsafe.Pointer(mask) }

// One goroutine writes pieces that begin with their number, this one reads them. Go's pipe in memory has no room, so that this is
// the job of the rows about room, too.
func stream(t *task) outcome {
	reader, writer := io.Pipe()
	go func() {
		piece := make([]byte, t.piece)
		for number := int64(0); number < t.size/t.piece; number++ {
			binary.LittleEndian.PutUint64(piece, uint64(number))
			_, err := writer.Write(piece)
			fatal(err)
		}
		fatal(writer.Close())
	}()
	var result outcome
	buffer := make([]byte, block)
	for {
		got, err := reader.Read(buffer)
		if err == io.EOF {
			return result
		}
		fatal(err)
		at := (t.piece - result.bytes%t.piece) % t.piece
		for ; at+8 <= int64(got); at += t.piece {
			number := binary.LittleEndian.Uint64(buffer[at:])
			result.disorder = result.disorder || number != uint64((result.bytes+at)/t.piece)
		}
		result.bytes += int64(got)
	}
}

func ping(t *task) outcome {
	theirInput, output := io.Pipe()
	input, theirOutput := io.Pipe()
	go func() {
		bytes := make([]byte, 1)
		for {
			_, err := theirInput.Read(bytes)
			if err == io.EOF {
				return
			}
			fatal(err)
			_, err = theirOutput.Write(bytes)
			fatal(err)
		}
	}()
	var result outcome
	bytes := make([]byte, 1)
	for number := int64(0); number < t.size; number++ {
		bytes[0] = byte(number)
		_, err := output.Write(bytes)
		fatal(err)
		_, err = io.ReadFull(input, bytes)
		fatal(err)
		if bytes[0] == byte(number) {
			result.count++
		}
	}
	fatal(output.Close())
	return result
}

// CLOCK_MONOTONIC: what Go's own clock counts from is not told, so the difference of the two is taken once.
func monotonic() int64 { return time.Since(started).Nanoseconds() + startedAt }

func delay(t *task) outcome {
	command, output := source(t, "ticks", t.text())
	reader := bufio.NewReader(output)
	var delays []int64
	for {
		line, err := reader.ReadString('\n')
		if err == io.EOF {
			break
		}
		fatal(err)
		now := monotonic()
		written, err := strconv.ParseInt(strings.TrimSpace(line), 16, 64)
		fatal(err)
		delays = append(delays, now-written)
	}
	fatal(command.Wait())
	sort.Slice(delays, func(a, b int) bool { return delays[a] < delays[b] })
	return outcome{count: int64(len(delays)), figure: float64(delays[len(delays)/2])}
}
