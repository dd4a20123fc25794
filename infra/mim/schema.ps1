# photorelay, schema script of the management agent: one object class with the attributes that import.ps1 gives.
param($ConfigurationParameter)

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

# PSMA reads the names of the properties; of the values, only the one of objectClass counts: it names the class.
$class = New-Object PSObject
$taken = @{}
foreach ($setting in @(
    'AnchorAttribute', 'PhotoAttribute', 'ChecksumAttribute', 'UserIdAttribute', 'SidAttribute',
    'SamAccountNameAttribute', 'DomainAttribute', 'OnPremisesAnchorAttribute'
)) {
    $name = $settings[$setting]
    if ($name -eq '') { continue }
    if ($taken.ContainsKey($name)) {
        throw "photorelay: $setting and $($taken[$name]) are both $name. Give each attribute a name of its own."
    }
    $taken[$name] = $setting
    if ($setting -eq 'AnchorAttribute') { $name = "Anchor-$name" }
    $type = 'String'
    if ($setting -eq 'PhotoAttribute') { $type = 'Binary' }
    Add-Member -InputObject $class -MemberType NoteProperty -Name "$name|$type" -Value ''
}
Add-Member -InputObject $class -MemberType NoteProperty -Name 'objectClass|String' -Value $settings.ObjectClass
$class
