package keypair

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// made is a certificate with its key, in PEM.
func made(t *testing.T, number int64) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	like := &x509.Certificate{SerialNumber: big.NewInt(number), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, like, like, private.Public(), private)
	require.NoError(t, err)
	text, err := x509.MarshalECPrivateKey(private)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: text})
}

type rig struct {
	certificate, key string
	pair             *Pair
	at               time.Time
}

func (g *rig) write(t *testing.T, file string, text []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(file, text, 0o600))
	g.at = g.at.Add(time.Hour)
	require.NoError(t, os.Chtimes(file, g.at, g.at)) // however coarse the file system's clock is
}

// shows is the serial number of what is shown the next time that the files are looked at.
func (g *rig) shows(t *testing.T) int64 {
	t.Helper()
	g.at = g.at.Add(time.Hour)
	shown, err := g.pair.Config().GetCertificate(nil)
	require.NoError(t, err)
	return shown.Leaf.SerialNumber.Int64()
}

func newRig(t *testing.T) *rig {
	t.Helper()
	dir := t.TempDir()
	g := &rig{certificate: filepath.Join(dir, "certificate.pem"), key: filepath.Join(dir, "key.pem"), at: time.Now()}
	certificate, key := made(t, 1)
	g.write(t, g.certificate, certificate)
	g.write(t, g.key, key)
	var err error
	g.pair, err = Open(g.certificate, g.key, nil)
	require.NoError(t, err)
	g.pair.now = func() time.Time { return g.at }
	return g
}

func TestWhatIsRenewedIsShown(t *testing.T) {
	g := newRig(t)
	require.EqualValues(t, 1, g.shows(t))
	certificate, key := made(t, 2)
	g.write(t, g.certificate, certificate)
	require.EqualValues(t, 1, g.shows(t), "half of a pair is none")
	g.write(t, g.key, key)
	require.EqualValues(t, 2, g.shows(t))
	g.write(t, g.certificate, bytes.ToUpper(certificate))
	require.EqualValues(t, 2, g.shows(t), "what can't be read changes nothing")
	require.NoError(t, os.Remove(g.certificate))
	require.EqualValues(t, 2, g.shows(t))
	g.write(t, g.certificate, certificate)
	require.EqualValues(t, 2, g.shows(t))
}

func TestWhatIsNoPairIsRefused(t *testing.T) {
	g := newRig(t)
	_, key := made(t, 2)
	g.write(t, g.key, key)
	_, err := Open(g.certificate, g.key, nil)
	require.True(t, fault.Is(err, fault.Invalid), "%v", err)
	_, err = Open(g.certificate+".not", g.key, nil)
	require.True(t, fault.Is(err, fault.Invalid), "%v", err)
	require.ErrorContains(t, err, g.key)
}

func TestWhatIsNoCertificateChecksNothing(t *testing.T) {
	check, ok := Check("no certificate")
	require.False(t, ok)
	require.NotNil(t, check.RootCAs, "or the system's roots would do")
}
