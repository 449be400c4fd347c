package keypair

import (
	"crypto/tls"
	"crypto/x509"
)

// Check is what a client checks certificates with: these roots, in PEM, in place of the system's. ok is false where there is no certificate
// among them; what is checked with it then is always refused.
func Check(roots string) (config *tls.Config, ok bool) {
	pool := x509.NewCertPool()
	ok = pool.AppendCertsFromPEM([]byte(roots))
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, ok
}
