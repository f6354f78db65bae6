# SPDX-License-Identifier: Apache-2.0
"""Certificates made by the openssl program, for 127.0.0.1 and localhost."""

import os
import subprocess

CONFIGURATION = """
[ca]
default_ca = this
[this]
dir = .
new_certs_dir = .
database = index
serial = serial
default_md = sha256
policy = any
unique_subject = no
x509_extensions = leaf
[any]
commonName = supplied
[leaf]
subjectAltName = DNS:localhost,IP:127.0.0.1
"""


class Authority:
    """A certificate authority in a folder of its own."""

    def __init__(self, folder, name):
        self.folder = os.path.join(folder, name)
        os.mkdir(self.folder)
        for file, text in (("configuration", CONFIGURATION), ("index", ""), ("serial", "01\n")):
            with open(self.path(file), "w", encoding="ascii") as out:
                out.write(text)
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=" + name,
                     "-addext", "basicConstraints=critical,CA:TRUE")

    def path(self, file):
        return os.path.join(self.folder, file)

    def read(self, file):
        with open(self.path(file), "rb") as content:
            return content.read()

    def openssl(self, *arguments):
        subprocess.run(("openssl",) + arguments, cwd=self.folder, check=True, timeout=60,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def issue(self, name, is_expired=False):
        """name.key and name.pem; returns both paths."""
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-keyout", name + ".key", "-out", name + ".request", "-subj", "/CN=" + name)
        validity = (["-startdate", "20200101000000Z", "-enddate", "20200102000000Z"] if is_expired
                    else ["-days", "2"])
        self.openssl("ca", "-batch", "-config", "configuration", "-cert", "ca.pem", "-keyfile", "ca.key",
                     "-in", name + ".request", "-out", name + ".pem", "-notext", *validity)
        return self.path(name + ".key"), self.path(name + ".pem")
