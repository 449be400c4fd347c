package replication

import (
	"bufio"
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzLines: whatever a stream holds, only lines that were signed for their place come out of it, whole and in order.
func FuzzLines(f *testing.F) {
	made := func(n uint64, text string) []byte {
		return append([]byte(text+" "+lineSignature("t", "n", n, []byte(text))), '\n')
	}
	good := append(made(0, `beat {"heads":[1]}`), made(1, "page/3 {}")...)
	f.Add(good)
	f.Add(good[:len(good)-3])
	f.Add(append(made(1, "page/3 {}"), made(0, `beat {}`)...))
	f.Add(made(0, "nospace"))
	f.Add([]byte("\n \n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &lineReader{in: bufio.NewReaderSize(bytes.NewReader(data), 16), token: "t", nonce: "n"}
		for n := uint64(0); ; n++ {
			kind, body, err := r.next()
			if err != nil {
				return
			}
			text := kind + " " + string(body)
			require.Contains(t, string(data), text+" "+lineSignature("t", "n", n, []byte(text))+"\n")
		}
	})
}

// FuzzTake: no line that a primary may send takes a follower down.
func FuzzTake(f *testing.F) {
	for _, l := range [][2]string{{"hello", `{"cluster":"a","heads":null}`}, {"beat", `{"heads":[1,2],"relayed":[0,0]}`}, {"beat", `{}`},
		{"stop", `{"partition":-1}`}, {"page/7", `{}`}, {"page/x", `{}`}, {"page/", `[]`}, {"else", `1`}, {"stop", `"`}} {
		f.Add(l[0], []byte(l[1]))
	}
	f.Fuzz(func(_ *testing.T, kind string, data []byte) {
		o, err := NewFollower(Options{Store: nothing{}, Partitions: 2, Find: Static{}, Token: "t"})
		if err != nil {
			return
		}
		s := &session{f: o, remote: &remote{}}
		s.ctx, s.cancel = contextOf()
		for _, p := range o.partitions {
			p.pages, p.wake = make(chan []byte, 1), make(chan struct{}, 1)
		}
		_ = s.take(kind, data)
		_ = o.Status()
	})
}
