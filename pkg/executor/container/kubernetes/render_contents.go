package kubernetes

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
)

// contents are what is put into the containers: secrets by way of the Secret, other files of the ConfigMap.
type contents struct {
	secretName, configMapName string
	secret, configMap         map[string]string
	env                       []corev1.EnvVar
	entrypoint, command       []string
	files                     []file
}

// file is one that is mounted.
type file struct {
	path, key string
	secret    bool
}

// contents sorts what the block puts into the containers by who may see it.
func (s *session) contents() (*contents, error) {
	c := &contents{secret: map[string]string{}, configMap: map[string]string{}}
	for _, name := range sorted(s.block.Env) {
		value := s.block.Env[name]
		if !s.holds(value) {
			c.env = append(c.env, corev1.EnvVar{Name: name, Value: literal(value)})
			continue
		}
		c.fromSecret(name, keyOf("env", name), value)
	}
	c.entrypoint, c.command = s.words(c, "entrypoint", s.block.Entrypoint), s.words(c, "command", s.block.Command)
	for _, path := range sorted(s.block.Files) {
		f := file{path: path, key: keyOf("file", path), secret: s.holds(s.block.Files[path])}
		if c.files = append(c.files, f); f.secret {
			c.secret[f.key] = s.block.Files[path]
		} else {
			c.configMap[f.key] = s.block.Files[path]
		}
	}
	return c, s.nameContents(c)
}

// nameContents gives Secret and ConfigMap the hash of what they hold, keyed, as a name may be seen by anybody.
func (s *session) nameContents(c *contents) error {
	for name, data := range map[*string]map[string]string{&c.secretName: c.secret, &c.configMapName: c.configMap} {
		print, err := container.Fingerprint(s.box(), s.r, data)
		if err != nil {
			return err
		}
		*name = s.at.name + "-" + print[:12]
	}
	for _, v := range c.env {
		if v.ValueFrom != nil {
			v.ValueFrom.SecretKeyRef.Name = c.secretName
		}
	}
	return nil
}

// fromSecret sets a variable by way of the Secret, whose name follows once all that is in it is known.
func (c *contents) fromSecret(variable, key, value string) {
	c.secret[key] = value
	c.env = append(c.env, corev1.EnvVar{Name: variable, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{Key: key}}})
}

// words are those of a command line; a secret among them comes by way of a variable, which Kubernetes puts in its place.
func (s *session) words(c *contents, of string, words []string) (out []string) {
	for i, word := range words {
		if s.holds(word) {
			variable := fmt.Sprintf("VIVARIUM_%s_%d", strings.ToUpper(of), i)
			c.fromSecret(variable, keyOf(of, fmt.Sprint(i)), word)
			out = append(out, "$("+variable+")")
		} else {
			out = append(out, literal(word))
		}
	}
	return out
}

// holds tells whether nobody may see the text.
func (s *session) holds(text string) bool { return s.r.Mask(text) != text }

// literal keeps Kubernetes from putting variables in place of $(NAME), which no other target does.
func literal(text string) string {
	if !strings.Contains(text, "$$") && !strings.Contains(text, "$(") {
		return text
	}
	var b strings.Builder
	for i := range len(text) {
		b.WriteByte(text[i])
		if text[i] == '$' && i+1 < len(text) && (text[i+1] == '$' || text[i+1] == '(') {
			b.WriteByte('$')
		}
	}
	return b.String()
}

// keyOf is the key in a Secret or ConfigMap; a name that none can be is told apart by its hash.
func keyOf(of, name string) string {
	if key := of + "." + name; len(validation.IsConfigMapKey(key)) == 0 {
		return key
	}
	return of + "." + container.Slug(name) + "-" + short(name)
}

func short(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:4])
}

// objects are the Secret and the ConfigMap, as far as there is something to be in them. They never change: what holds something
// else has another name.
func (c *contents) objects(s *session) (objects []object) {
	if len(c.secret) > 0 {
		objects = append(objects, newObject(secrets, c.secretName,
			corev1.Secret{ObjectMeta: s.meta(c.secretName), Immutable: pointer(true), Data: bytesOf(c.secret)}))
	}
	if len(c.configMap) > 0 {
		objects = append(objects, newObject(configMaps, c.configMapName,
			corev1.ConfigMap{ObjectMeta: s.meta(c.configMapName), Immutable: pointer(true), Data: c.configMap}))
	}
	return objects
}

func bytesOf(texts map[string]string) map[string][]byte {
	out := make(map[string][]byte, len(texts))
	for key, text := range texts {
		out[key] = []byte(text)
	}
	return out
}
