package servers

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"strconv"
	"time"
)

// authority signs the certificates of one cluster, which all end with it in a month.
type authority struct {
	k      *Kubernetes
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	pem    []byte
	serial int64
}

// makeCertificates writes the certificates of all parts, and the kubeconfigs of those that talk to the API server.
func (k *Kubernetes) makeCertificates() error {
	a, err := newAuthority(k)
	if err != nil {
		return err
	}
	for _, c := range []certificate{
		{file: "apiserver", name: "kube-apiserver", server: true, ips: []string{nodeIP, serviceIP},
			hosts: []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}},
		{file: "kubelet-server", name: nodeName, server: true, ips: []string{nodeIP}, hosts: []string{nodeName}},
		{file: "apiserver-kubelet", name: "apiserver-kubelet", group: "system:masters"},
		{file: "front-proxy", name: "front-proxy"},
		{file: "admin", name: "admin", group: "system:masters", config: true},
		{file: "kube-controller-manager", name: "system:kube-controller-manager", config: true},
		{file: "kube-scheduler", name: "system:kube-scheduler", config: true},
		{file: "kube-proxy", name: "system:kube-proxy", config: true},
		{file: "kubelet", name: "system:node:" + nodeName, group: "system:nodes", config: true},
	} {
		if err := a.issue(c); err != nil {
			return fmt.Errorf("the certificate of %s: %w", c.file, err)
		}
	}
	return a.serviceAccounts()
}

func newAuthority(k *Kubernetes) (*authority, error) {
	a := &authority{k: k, serial: 1}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(a.serial), Subject: pkix.Name{CommonName: "kube-ca"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 1, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, a.key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	a.pem, err = a.write("ca", der, a.key)
	return a, err
}

// certificate is one to be issued; server ones are for 127.0.0.1 too.
type certificate struct {
	file, name, group string
	server            bool
	hosts, ips        []string
	config            bool // a kubeconfig goes with it
}

func (a *authority) issue(c certificate) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	a.serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.serial), Subject: pkix.Name{CommonName: c.name}, DNSNames: c.hosts, NotBefore: a.cert.NotBefore,
		NotAfter: a.cert.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if c.group != "" {
		template.Subject.Organization = []string{c.group}
	}
	if c.server {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
		for _, ip := range append(c.ips, "127.0.0.1") {
			template.IPAddresses = append(template.IPAddresses, net.ParseIP(ip))
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return err
	}
	cert, err := a.write(c.file, der, key)
	if err != nil || !c.config {
		return err
	}
	return a.configure(c.file, cert)
}

// write keeps a certificate and its key, and returns the certificate in PEM.
func (a *authority) write(file string, der []byte, key *ecdsa.PrivateKey) ([]byte, error) {
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(a.k.pki(file+".crt"), cert, 0o600); err != nil {
		return nil, err
	}
	return cert, os.WriteFile(a.k.pki(file+".key"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}), 0o600)
}

// configure writes a kubeconfig for use inside the cluster's network and, for the administrator, one for outside.
func (a *authority) configure(file string, cert []byte) error {
	key, err := os.ReadFile(a.k.pki(file + ".key"))
	if err != nil {
		return err
	}
	inside := net.JoinHostPort(nodeIP, strconv.Itoa(apiPort))
	if err := os.WriteFile(a.k.pki(file+".kubeconfig"), a.kubeconfig(inside, cert, key), 0o600); err != nil || file != "admin" {
		return err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return err
	}
	a.k.cert = &pair
	return os.WriteFile(a.k.Kubeconfig(), a.kubeconfig(a.k.Address(), cert, key), 0o600)
}

func (a *authority) kubeconfig(address string, cert, key []byte) []byte {
	text := base64.StdEncoding.EncodeToString
	var out bytes.Buffer
	_, _ = fmt.Fprintf(&out, `apiVersion: v1
kind: Config
current-context: vivarium
clusters: [{name: vivarium, cluster: {server: "https://%s", certificate-authority-data: %s}}]
users: [{name: vivarium, user: {client-certificate-data: %s, client-key-data: %s}}]
contexts: [{name: vivarium, context: {cluster: vivarium, user: vivarium}}]
`, address, text(a.pem), text(cert), text(key))
	return out.Bytes()
}

// serviceAccounts writes the key pair that tokens of service accounts are signed with.
func (a *authority) serviceAccounts() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(crypto.PublicKey(key.Public()))
	if err != nil {
		return err
	}
	if err := os.WriteFile(a.k.pki("sa.key"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}), 0o600); err != nil {
		return err
	}
	return os.WriteFile(a.k.pki("sa.pub"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o600)
}
