# photorelay, import script of the management agent: gives MIM one page of the feed (docs/mim-feed.md). It only reads,
# and needs Windows PowerShell 5.1 or PowerShell 7, no module, network or secret. What is wrong with the feed as a whole
# ends the run by throw: MIM then deletes nothing and keeps its watermark.
# Declare no parameter that begins with User: older management agents pass -User, which would bind to it.
param($OperationType, $UsePagedImport, $PageSize, $ConfigurationParameter)

$ErrorActionPreference = 'Stop'

# Settings. These are the defaults; a line NAME=VALUE of the management agent's configuration parameters replaces one.
# An attribute that is empty here need not be imported. These lines are the same in schema.ps1 and import.ps1.
$settings = @{
    Feed = ''
    ObjectClass = 'EXOUser'
    AnchorAttribute = 'EXOUserKey'
    PhotoAttribute = 'EXOPhoto'
    ChecksumAttribute = 'EXOPhotoChecksum'
    UserIdAttribute = ''
    SidAttribute = ''
    SamAccountNameAttribute = ''
    DomainAttribute = ''
    OnPremisesAnchorAttribute = ''
    MaxAgeHours = ''
    Verify = '0'
}
foreach ($name in $ConfigurationParameter.Keys) {
    if (-not $settings.ContainsKey($name)) {
        throw "photorelay: there is no setting $name. Correct the configuration parameters; README.md lists all."
    }
    $settings[$name] = "$($ConfigurationParameter[$name])".Trim()
}
foreach ($name in @('ObjectClass', 'AnchorAttribute', 'PhotoAttribute', 'ChecksumAttribute')) {
    if ($settings[$name] -eq '') { throw "photorelay: the setting $name is empty. Name it, or leave the line out." }
}
# End of the settings.

$repair = 'If the folder is a copy of the feed, copy it again, with the file current last; otherwise ' +
    '"photorelay-agent mim status" lists what is damaged and "mim rebuild" begins anew. Then run the import again. ' +
    'Nothing is deleted because of this.'
$restart = 'Run a full import; deltas go on from there. Nothing is deleted because of this.'
$sha256 = New-Object Security.Cryptography.SHA256CryptoServiceProvider

function Get-Digest($Bytes) {
    [BitConverter]::ToString($sha256.ComputeHash($Bytes)).Replace('-', '').ToLowerInvariant()
}

# The text of a file that must have this digest.
function Read-Verified($Path, $Digest) {
    if (-not [IO.File]::Exists($Path)) { throw "photorelay: $Path is missing or not readable. $repair" }
    $bytes = [IO.File]::ReadAllBytes($Path)
    if ((Get-Digest $bytes) -cne $Digest) { throw "photorelay: $Path is damaged or half copied. $repair" }
    [Text.Encoding]::ASCII.GetString($bytes)
}

# Adds photo and checksum, or the error that MIM shows for this object alone. Returns nothing: a pipeline wraps bytes.
function Add-Photo($Object, $Digest, $Length, $Checksum, $User) {
    $path = [IO.Path]::Combine($settings.Feed, 'photos', $Digest.Substring(0, 2), "$Digest.jpg")
    $problem = ''
    try {
        $file = New-Object IO.FileInfo $path
        if (-not $file.Exists) { $problem = 'is missing or not readable' }
        elseif ($file.Length -ne $Length) { $problem = "has $($file.Length) bytes instead of $Length" }
        else { $bytes = [IO.File]::ReadAllBytes($path) }
        if ($problem -eq '' -and $settings.Verify -eq '1' -and (Get-Digest $bytes) -cne $Digest) {
            $problem = 'does not have the digest in its name'
        }
    } catch { $problem = "cannot be read: $($_.Exception.Message)" }
    if ($problem -eq '') {
        $Object[$settings.PhotoAttribute] = $bytes
        $Object[$settings.ChecksumAttribute] = $Checksum
    } else {
        $Object['[ErrorName]'] = 'photo-unreadable'
        $Object['[ErrorDetail]'] = "User ${User}: $path $problem. $repair"
    }
}

if ($settings.Verify -cnotmatch '^[01]$') { throw 'photorelay: the setting Verify is 0 or 1.' }
if ($settings.MaxAgeHours -cnotmatch '^[0-9]{0,5}$') { throw 'photorelay: the setting MaxAgeHours is a whole number.' }
if ($settings.Feed -eq '' -and "$PSScriptRoot" -ne '') { $settings.Feed = [IO.Path]::GetDirectoryName($PSScriptRoot) }
$current = [IO.Path]::Combine($settings.Feed, 'current')
$full = "$OperationType" -eq 'Full'
if (-not $full -and "$OperationType" -ne 'Delta') { throw "photorelay: run Full or Delta, not $OperationType." }
$paged = "$UsePagedImport" -eq 'True'
if ($paged -and [int]$PageSize -lt 1) { throw 'photorelay: set the page size of the run profile to at least 1.' }

if ("$global:PageToken" -eq '') {
    # The first page takes what is published now; later pages read the same through the page token.
    if (-not [IO.File]::Exists($current)) {
        throw "photorelay: no feed to read in '$($settings.Feed)'. Check Feed, its rights, and photorelay-agent."
    }
    $stream = [IO.File]::Open($current, 'Open', 'Read', 'ReadWrite, Delete')
    try { $line = "$((New-Object IO.StreamReader $stream).ReadLine())" } finally { $stream.Dispose() }
    $version, $epoch, $sequence, $floor, $manifest, $digest, $people, $published = $line.Split("`t")
    if ($version -cmatch '^[0-9]+$' -and $version -cne '1') {
        throw "photorelay: the feed has version $version, not 1. Install the scripts of photorelay-agent's release."
    }
    if ($line -cnotmatch '^1\t[0-9a-f-]{36}(\t[0-9]{1,18}){2}\t[0-9a-f-]+\.tsv\t[0-9a-f]{64}(\t[0-9]{1,18}){2}$') {
        throw "photorelay: $current is damaged or half copied. $repair"
    }
    $age = ([DateTime]::UtcNow.Ticks - 621355968000000000) / 10000000 - [int64]$published
    if ($settings.MaxAgeHours -ne '' -and $age -gt 3600 * [int]$settings.MaxAgeHours) {
        throw "photorelay: the feed is older than MaxAgeHours=$($settings.MaxAgeHours). Start photorelay-agent."
    }
    if ($full -and $people -eq '0') {
        throw 'photorelay: the feed has no users; a full import would delete all. See photorelay-agent mim status.'
    }
    $since, $segment, $row = 0, 0, 0
    if (-not $full) {
        $mark = "$global:RunStepCustomData"
        if ($mark -cnotmatch '^1/[0-9a-f-]{36}/[0-9]{1,18}$') {
            throw "photorelay: there is no watermark of this feed. $restart"
        }
        if ($mark.Split('/')[1] -cne $epoch) { throw "photorelay: the feed was rebuilt. $restart" }
        $since = [int64]$mark.Split('/')[2]
        if ($since -gt [int64]$sequence) { throw "photorelay: the feed is older than the last import. $restart" }
        if ($since -lt [int64]$floor) { throw "photorelay: the last import is too old for a delta. $restart" }
    }
} else {
    $version, $epoch, $sequence, $manifest, $digest, $since, $segment, $row = $global:PageToken.Split('/')
    $since, $segment, $row = [int64]$since, [int]$segment, [int]$row
}

$segments = (Read-Verified ([IO.Path]::Combine($settings.Feed, 'manifests', $manifest)) $digest).Split("`n")
$count, $size, $more = 0, 0, $false
while ($segment -lt 256 -and -not $more) {
    $xx, $name, $people, $highest = $segments[$segment].Split("`t")
    $rows = @()
    if (($full -and $people -ne '0') -or (-not $full -and [int64]$highest -gt $since)) {
        # A full page whose next object is in another segment does not open it.
        if ($paged -and $count -ge [int]$PageSize) { $more = $true }
        else {
            $path = [IO.Path]::Combine($settings.Feed, 'segments', $xx, "$name.tsv")
            $rows = (Read-Verified $path $name).Split("`n")
        }
    }
    # The last row is empty: every line ends with a line feed.
    while ($row -lt $rows.Length - 1 -and -not $more) {
        $changed, $state, $key, $user, $anchor, $sid, $sam, $domain, $photo, $bytes, $checksum = $rows[$row].Split("`t")
        if (($full -and $state -cne 'X') -or (-not $full -and [int64]$changed -gt $since)) {
            $bytes = [int64]"0$bytes"
            # A page ends at its size, or before it holds 64 MB of photos.
            $more = $paged -and ($count -ge [int]$PageSize -or ($count -gt 0 -and $size + $bytes -gt 67108864))
            if ($more) { continue }
            $object = @{ objectClass = $settings.ObjectClass }
            $object[$settings.AnchorAttribute] = [Uri]::UnescapeDataString($key)
            $who = @{ UserId = $user; Sid = $sid; SamAccountName = $sam; Domain = $domain; OnPremisesAnchor = $anchor }
            foreach ($fact in $who.Keys) {
                $attribute = $settings["${fact}Attribute"]
                if ($attribute -ne '' -and $who[$fact] -ne '' -and $state -cne 'X') {
                    $object[$attribute] = [Uri]::UnescapeDataString($who[$fact])
                }
            }
            if ($state -ceq 'X') { $object['changeType'] = 'delete' }
            if ($state -ceq 'P') { Add-Photo $object $photo $bytes $checksum $user }
            $object
            $count++
            $size += $bytes
        }
        $row++
    }
    if (-not $more) { $segment++; $row = 0 }
}

# One engine of PSMA hands these over as lines of text with | and =, and ignores an empty one.
$global:RunStepCustomData = "1/$epoch/$sequence"
$global:MoreToImport = $more
$global:PageToken = '-'
if ($more) { $global:PageToken = "1/$epoch/$sequence/$manifest/$digest/$since/$segment/$row" }
