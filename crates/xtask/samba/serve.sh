#!/bin/sh
# Serves a copy of the PROVISIONED domain from FOLDER on a loopback address of its own, LDAP on 389, LDAPS on 636 and
# Kerberos on 88, until it is stopped or, if standard input is a pipe, until that ends.
#
# A second start in the same folder serves the same data at the same address. The certificate is signed by an authority
# of this folder, because Samba's own has no subjectAltName and so cannot be verified.
set -eu
provisioned=$1
folder=$2
cd "$folder"
folder=$(pwd -P)

# Samba puts a socket there, and the name of a socket has at most 107 bytes.
socket="$folder/domain/private/ldap_priv/ldapi"
if [ "${#socket}" -gt 107 ]; then
    echo "the folder's name is too long for a socket in it: $folder" >&2
    exit 1
fi

if [ ! -e address ]; then
    umask 077
    cp -R "$provisioned" domain
    # Process ids are unique among those that run, and so is an address made of all their bits, of which there are at most 22.
    address="127.$((64 + $$ / 32768 % 128)).$(($$ / 128 % 256)).$((1 + $$ % 128))"
    key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    # shellcheck disable=SC2086
    openssl req -x509 $key -days 30 -subj "/CN=photorelay tests" -addext "basicConstraints=critical,CA:TRUE" \
        -addext "keyUsage=critical,keyCertSign" -keyout ca.key -out ca.pem 2>openssl.log
    # shellcheck disable=SC2086
    openssl req $key -subj "/CN=dc1.contoso.test" -addext "basicConstraints=CA:FALSE" \
        -addext "subjectAltName=DNS:dc1.contoso.test,IP:$address" -addext "extendedKeyUsage=serverAuth" \
        -keyout dc.key -out dc.csr 2>>openssl.log
    openssl x509 -req -in dc.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -copy_extensions copyall \
        -out dc.pem 2>>openssl.log
    mkdir -p domain/run domain/cache
    cat >smb.conf <<EOF
[global]
    netbios name = DC1
    realm = CONTOSO.TEST
    workgroup = CONTOSO
    server role = active directory domain controller
    server services = ldap, kdc
    interfaces = $address/8
    bind interfaces only = yes
    private dir = $folder/domain/private
    lock directory = $folder/domain
    state directory = $folder/domain/state
    cache directory = $folder/domain/cache
    binddns dir = $folder/domain/bind-dns
    pid directory = $folder/domain/run
    ncalrpc dir = $folder/domain/ncalrpc
    ldap server require strong auth = allow_sasl_over_tls
    tls enabled = yes
    tls certfile = $folder/dc.pem
    tls keyfile = $folder/dc.key
    tls cafile = $folder/ca.pem
[sysvol]
    path = $folder/domain/state/sysvol
EOF
    cat >krb5.conf <<EOF
[libdefaults]
    default_realm = CONTOSO.TEST
    dns_lookup_kdc = false
    dns_canonicalize_hostname = false
    rdns = false
[realms]
    CONTOSO.TEST = {
        kdc = $address
    }
EOF
    # Last, so that a start that was cut off is not taken for a finished one; and by a new name, because who waits for it
    # could read it before the address is in it.
    echo "$address" >address.new
    mv address.new address
fi

echo "serves $(cat address) from $folder"
exec samba --configfile="$folder/smb.conf" --interactive --model=single --debug-stdout
