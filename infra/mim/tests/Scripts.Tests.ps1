# The scripts on a real engine, with Pester 5: what crates/psma-sim can only assume of PowerShell and .NET.
# Run: Invoke-Pester -Path infra/mim/tests

BeforeAll {
    $scripts = Split-Path -Parent $PSScriptRoot
    $epoch = '5c1e0a7e-7e11-4a11-8a11-c0ffee000001'

    function Get-Hash([byte[]]$Bytes) {
        $sha256 = [Security.Cryptography.SHA256]::Create()
        [BitConverter]::ToString($sha256.ComputeHash($Bytes)).Replace('-', '').ToLowerInvariant()
    }

    function Write-File($Name, [byte[]]$Bytes) {
        $path = Join-Path $feed $Name
        [void](New-Item -ItemType Directory -Force -Path (Split-Path -Parent $path))
        [IO.File]::WriteAllBytes($path, $Bytes)
    }

    # Publishes lines of a feed, as docs/mim-feed.md describes it.
    function Publish-Feed($Lines, $Sequence, $Epoch) {
        $manifest = ''
        foreach ($number in 0..255) {
            $xx = $number.ToString('x2')
            $text = ''
            $people = 0
            $highest = 0
            foreach ($line in @($Lines | Where-Object { $_.Id.StartsWith($xx) })) {
                $digest = ''
                $length = ''
                if ($line.State -eq 'P') {
                    $bytes = [Text.Encoding]::ASCII.GetBytes($line.Photo)
                    $digest = Get-Hash $bytes
                    $length = $bytes.Length
                    Write-File "photos/$($digest.Substring(0, 2))/$digest.jpg" $bytes
                }
                if ($line.State -ne 'X') { $people++ }
                $highest = [Math]::Max($highest, $line.Sequence)
                $fields = $line.Sequence, $line.State, $line.Key, $line.Id, '', '', '', '', $digest, $length, $digest
                $text += ($fields -join "`t") + "`n"
            }
            $name = '-'
            if ($text -ne '') {
                $bytes = [Text.Encoding]::ASCII.GetBytes($text)
                $name = Get-Hash $bytes
                Write-File "segments/$xx/$name.tsv" $bytes
            }
            $manifest += "$xx`t$name`t$people`t$highest`n"
        }
        $bytes = [Text.Encoding]::ASCII.GetBytes($manifest)
        Write-File "manifests/$Epoch-$Sequence.tsv" $bytes
        $fields = 1, $Epoch, $Sequence, 0, "$Epoch-$Sequence.tsv", (Get-Hash $bytes), $Lines.Count, 1780000000
        Write-File 'current' ([Text.Encoding]::ASCII.GetBytes(($fields -join "`t") + "`n"))
    }

    # One page, called as PSMA calls it: also with parameters that the script does not declare.
    function Invoke-Page($Operation, $Mark, $Token, $PageSize) {
        $global:RunStepCustomData = $Mark
        $global:PageToken = $Token
        $global:MoreToImport = $null
        $given = @{
            Username = ''; Password = ''; Credentials = $null; UsernameAux = ''; OperationType = $Operation
            UsePagedImport = ($PageSize -gt 0); PageSize = $PageSize; ImportPageNumber = 1
            ConfigurationParameter = @{ feed = $feed }
        }
        & (Join-Path $scripts 'import.ps1') @given
    }

    # All pages of a run. Leaves the watermark in $global:RunStepCustomData.
    function Invoke-Run($Operation, $Mark, $PageSize) {
        $token = ''
        do {
            Invoke-Page $Operation $Mark $token $PageSize
            $Mark = $global:RunStepCustomData
            $token = $global:PageToken
        } while ($global:MoreToImport)
    }

    $people = @(
        @{ Sequence = 1; State = 'P'; Key = 'a'; Id = '00000001-0000-4000-8000-000000000000'; Photo = 'photo of a' }
        @{
            Sequence = 2; State = 'P'; Key = 'M%C3%BCller, %09J%25'; Photo = 'b'
            Id = '00000002-0000-4000-8000-000000000000'
        }
        @{ Sequence = 3; State = 'N'; Key = 'c'; Id = 'ff000003-0000-4000-8000-000000000000' }
    )
}

Describe 'import.ps1' {
    BeforeEach {
        $feed = Join-Path $TestDrive ([Guid]::NewGuid().ToString())
        Publish-Feed $people 3 $epoch
    }

    It 'gives hashtables whose photo is a byte array, with page size <size>' -ForEach @(
        @{ Size = 0 }, @{ Size = 1 }, @{ Size = 2 }, @{ Size = 100 }
    ) {
        $objects = @(Invoke-Run 'Full' '' $size)
        $objects.Count | Should -Be 3
        foreach ($object in $objects) { $object.GetType().FullName | Should -Be 'System.Collections.Hashtable' }
        $objects[0]['objectClass'] | Should -Be 'EXOUser'
        $objects[0]['EXOUserKey'] | Should -Be 'a'
        , $objects[0]['EXOPhoto'] | Should -BeOfType ([byte[]])
        [Text.Encoding]::ASCII.GetString($objects[0]['EXOPhoto']) | Should -Be 'photo of a'
        $objects[0]['EXOPhotoChecksum'] | Should -Be (Get-Hash $objects[0]['EXOPhoto'])
        $objects[1]['EXOUserKey'] | Should -Be "M$([char]0xfc)ller, `tJ%"
        $objects[2].ContainsKey('EXOPhoto') | Should -BeFalse
        $global:RunStepCustomData | Should -Be "1/$epoch/3"
        $global:MoreToImport | Should -BeFalse
    }

    It 'keeps bytes and class of an object that comes from another process' {
        $job = Start-Job -ArgumentList (Join-Path $scripts 'import.ps1'), $feed -ScriptBlock {
            param($Script, $Feed)
            $settings = @{ Feed = $Feed }
            & $Script -OperationType 'Full' -UsePagedImport $false -PageSize 100 -ConfigurationParameter $settings
        }
        $objects = @(Receive-Job -Job $job -Wait)
        $objects.Count | Should -Be 3
        ($objects[0] -is [Collections.Hashtable]) | Should -BeTrue
        ($objects[0]['EXOPhoto'] -is [byte[]]) | Should -BeTrue
        [Text.Encoding]::ASCII.GetString([byte[]]$objects[0]['EXOPhoto']) | Should -Be 'photo of a'
    }

    It 'takes the text True for a Boolean, and a dictionary for configuration parameters' {
        $global:RunStepCustomData = ''
        $global:PageToken = ''
        $settings = New-Object 'Collections.Generic.Dictionary[string,string]'
        $settings.Add('FEED', $feed)
        $script = Join-Path $scripts 'import.ps1'
        $given = @{ User = ''; OperationType = 'Full'; UsePagedImport = 'True'; PageSize = '2' }
        $objects = @(& $script @given -ConfigurationParameter $settings)
        $objects.Count | Should -Be 2
        $global:MoreToImport | Should -BeTrue
    }

    It 'gives a delta what changed, and a delete for a tombstone' {
        $null = @(Invoke-Run 'Full' '' 100)
        $mark = $global:RunStepCustomData
        $changed = $people[0].Clone()
        $changed.Sequence = 4
        $changed.Photo = 'new'
        $gone = @{ Sequence = 5; State = 'X'; Key = 'c'; Id = $people[2].Id }
        Publish-Feed @($changed, $people[1], $gone) 5 $epoch
        $objects = @(Invoke-Run 'Delta' $mark 1)
        $objects.Count | Should -Be 2
        [Text.Encoding]::ASCII.GetString($objects[0]['EXOPhoto']) | Should -Be 'new'
        $objects[1]['changeType'] | Should -Be 'delete'
        $objects[1]['EXOUserKey'] | Should -Be 'c'
        @(Invoke-Run 'Delta' $global:RunStepCustomData 1).Count | Should -Be 0
    }

    It 'makes one missing photo the error of its user, without an error record' {
        Remove-Item -Recurse (Join-Path $feed 'photos')
        $Error.Clear()
        $objects = @(Invoke-Run 'Full' '' 100)
        $Error.Count | Should -Be 0
        $objects[0]['[ErrorName]'] | Should -Be 'photo-unreadable'
        $objects[0]['[ErrorDetail]'] | Should -BeLike "*$($people[0].Id)*is missing or not readable*copy it again*"
        $objects[2].ContainsKey('[ErrorName]') | Should -BeFalse
    }

    It 'stops with what to do' {
        { Invoke-Run 'Delta' '' 10 } | Should -Throw '*no watermark of this feed*Run a full import*'
        { Invoke-Run 'Delta' '1/00000000-0000-4000-8000-000000000000/3' 10 } | Should -Throw '*the feed was rebuilt*'
        { Invoke-Run 'Delta' "1/$epoch/4" 10 } | Should -Throw '*older than the last import*'
        Write-File 'current' ([byte[]](49, 9, 50))
        { Invoke-Run 'Full' '' 10 } | Should -Throw '*is damaged or half copied*'
        Write-File 'current' ([byte[]](50, 9, 50))
        { Invoke-Run 'Full' '' 10 } | Should -Throw '*version 2, not 1*'
        Remove-Item (Join-Path $feed 'current')
        { Invoke-Run 'Full' '' 10 } | Should -Throw '*no feed to read*'
    }

    It 'lets the agent replace current while it is read' {
        $path = Join-Path $feed 'current'
        $stream = [IO.File]::Open($path, 'Open', 'Read', 'ReadWrite, Delete')
        try { @(Invoke-Run 'Full' '' 100).Count | Should -Be 3 } finally { $stream.Dispose() }
    }
}

Describe 'schema.ps1' {
    It 'names class, anchor and attributes with their types' {
        $class = & (Join-Path $scripts 'schema.ps1') -Username '' -ConfigurationParameter @{ ANCHORATTRIBUTE = 'id' }
        $names = @($class.PSObject.Properties | ForEach-Object { $_.Name })
        $names | Should -Be @('Anchor-id|String', 'EXOPhoto|Binary', 'EXOPhotoChecksum|String', 'objectClass|String')
        $class.'objectClass|String' | Should -Be 'EXOUser'
    }
}

Describe 'export.ps1' {
    It 'answers each object with an error' {
        $object = New-Object PSObject
        Add-Member -InputObject $object -MemberType NoteProperty -Name '[Identifier]' -Value 'one'
        $change = New-Object PSObject
        Add-Member -InputObject $change -MemberType NoteProperty -Name 'Identifier' -Value 'two'
        $answers = @($object, $change | & (Join-Path $scripts 'export.ps1') -Username '' -ExportType 'Normal')
        @($answers | ForEach-Object { $_['[Identifier]'] }) | Should -Be @('one', 'two')
        @($answers | ForEach-Object { $_['[ErrorName]'] }) | Should -Be @('import-only', 'import-only')
    }
}

Describe 'password.ps1' {
    It 'refuses' {
        { & (Join-Path $scripts 'password.ps1') -Action 'Set' -NewPassword 'x' } | Should -Throw '*sets no passwords*'
    }
}
