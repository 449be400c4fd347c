package replication

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Both sides know a token, which never travels: what they say is signed with it. So each knows that the other one has it, and
// what was altered, cut, doubled or put in another order on the way is noticed, with TLS or without.

const (
	scheme          = "Vivarium "
	headerSignature = "Vivarium-Signature"
	signatureSize   = 2 * 16 // in hexadecimal
	// maxLine bounds a line of a stream in memory: one entry may hold a graph of 100,000 nodes.
	maxLine = 256 << 20
	// maxBody bounds what is asked and answered beside the stream: a template may have 64 MiB.
	maxBody = 128 << 20
)

// Altered is the code of what does not have the signature of its content.
const Altered fault.Code = "altered"

// signature is over parts, each with its length, by who knows the token.
func signature(token string, parts ...[]byte) string {
	mac := hmac.New(sha256.New, []byte("vivarium/replication/"+token))
	for _, p := range parts {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(p)))
		mac.Write(size[:])
		mac.Write(p)
	}
	return hex.EncodeToString(mac.Sum(nil)[:signatureSize/2])
}

func equal(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }

// authorization is the header of a request; the nonce is drawn for it, and the answer is signed with it.
func authorization(token, method, target string, body []byte) (header, nonce string) {
	nonce = rand.Text()
	return scheme + nonce + ":" + signature(token, []byte("request"), []byte(nonce), []byte(method), []byte(target), body), nonce
}

// authorized gives the nonce of a request whose signature is right.
func authorized(token, header, method, target string, body []byte) (nonce string, ok bool) {
	rest, ok := strings.CutPrefix(header, scheme)
	nonce, sign, found := strings.Cut(rest, ":")
	if !ok || !found || nonce == "" {
		return "", false
	}
	return nonce, equal(sign, signature(token, []byte("request"), []byte(nonce), []byte(method), []byte(target), body))
}

func answerSignature(token, nonce string, status int, body []byte) string {
	return signature(token, []byte("answer"), []byte(nonce), []byte(fmt.Sprint(status)), body)
}

// lineSignature is over a line's place in its stream, too.
func lineSignature(token, nonce string, number uint64, line []byte) string {
	return signature(token, []byte("line"), []byte(nonce), binary.BigEndian.AppendUint64(nil, number), line)
}

// lineReader reads the lines of a stream: KIND, JSON and signature, with a space between.
type lineReader struct {
	in           *bufio.Reader
	token, nonce string
	number       uint64
}

// next gives a line's kind and JSON, which are the caller's to keep. An end in the middle of a line is io.ErrUnexpectedEOF.
func (r *lineReader) next() (kind string, data []byte, err error) {
	line, err := readLine(r.in, maxLine)
	if err != nil {
		return "", nil, err
	}
	at := len(line) - signatureSize - 1
	if at < 0 || line[at] != ' ' || !equal(string(line[at+1:]), lineSignature(r.token, r.nonce, r.number, line[:at])) {
		return "", nil, fault.New(fault.Retry, Altered, "line %d of the stream is not what the primary sent: it was altered on the way, or by who does not know the token", r.number+1)
	}
	r.number++
	name, data, found := bytes.Cut(line[:at], []byte(" "))
	if !found {
		return "", nil, fault.New(fault.Retry, fault.Unreadable, "line %d of the stream has no kind", r.number)
	}
	return string(name), data, nil
}

// readLine reads up to a line feed, which it leaves out.
func readLine(in *bufio.Reader, most int) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line[:len(line)-1], nil
		case errors.Is(err, io.EOF) && len(line) > 0:
			return nil, io.ErrUnexpectedEOF
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(line) > most:
			return nil, fault.New(fault.GiveUp, fault.Unreadable, "a line of the stream is longer than %d bytes", most)
		}
	}
}
