package main

// What the machine has, and an image with nothing else in it has not: the rules of timezones, and the roots of public authorities. What is there wins.
import (
	_ "time/tzdata"

	_ "golang.org/x/crypto/x509roots/fallback"
)
